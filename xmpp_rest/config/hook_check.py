"""The check of what is set for hooks: values that are each valid, but cannot work (hooks §2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from xmpp_rest.config.hook_readers import MAX_TEMPLATE, ROOM
from xmpp_rest.config.hook_tables import HookSettings
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import JID, InvalidJID, is_bare_name, parse_jid

NAME = re.compile(r"(?!hk_)[a-z0-9][a-z0-9_-]{0,63}")
"""The name of a hook."""
SECRET_LENGTH = range(8, 257)  # characters
OWN_FILE = "{##}"  # an empty comment of Jinja: what begins with @ in a file of its own is text

CheckTemplate = Callable[[str, str], object]
"""Reads and parses a template, source or @NAME, with this folder of templates. Raises ValueError with the line that is wrong."""


def templates_folder(settings: Settings) -> str:
    """The folder of [hooks] templates; "" for none."""
    return str(Path(settings.base) / settings.hooks.templates) if settings.hooks.templates else ""


def template_of(section: HookSettings, base: str) -> str | None:
    """The template of a hook of the configuration, source or @NAME. Raises OSError, ValueError."""
    if not section.template_file:
        return section.template or None
    with (Path(base) / section.template_file).open(encoding="utf-8-sig") as file:
        source = file.read(MAX_TEMPLATE + 1)
    if len(source) > MAX_TEMPLATE:
        raise ValueError(f"has more than {MAX_TEMPLATE} characters")
    return f"{OWN_FILE}{source}" if source.startswith("@") else source


def hook_problems(settings: Settings, check_template: CheckTemplate | None) -> Iterator[str]:
    """What is wrong, a sentence each, without secrets. `check_template`: None: templates are read, but not parsed."""
    yield from _address_problems(settings)
    if settings.hooks.templates and not Path(templates_folder(settings)).is_dir():
        yield f"[hooks] templates = {settings.hooks.templates!r}: there is no such folder"
    tokens: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, section in settings.own_hooks.items():
        if not NAME.fullmatch(name.lower()):
            yield f"[hook.{name}]: a hook's name has 1 to 64 letters, digits, _ and -, and begins with a letter or digit, but not with hk_"
        if names.setdefault(name.lower(), name) != name:
            yield f"[hook.{name}]: is the same hook as [hook.{names[name.lower()]}], as capitals are folded"
        if tokens.setdefault(section.token, name) != name:
            yield f"[hook.{name}] token: is that of [hook.{tokens[section.token]}] too; make one by `xmpp-rest hook token`"
        yield from _section_problems(f"[hook.{name}]", section, settings, check_template)


def _address_problems(settings: Settings) -> Iterator[str]:
    address = settings.hooks.address
    if not address.local or address.domain != settings.gateway.domain or address.resource:
        yield f"[hooks] address = {str(address)!r}: must be an address of the hosted domain, such as hooks@{settings.gateway.domain}"


def _section_problems(where: str, section: HookSettings, settings: Settings, check_template: CheckTemplate | None) -> Iterator[str]:
    domain, hosted = settings.gateway.domain, frozenset(settings.domains)
    owner = section.owner
    if owner is not None and (not owner.local or owner.domain != domain or owner.resource):
        yield f"{where} owner = {str(owner)!r}: must be an account of the hosted domain, such as juliet@{domain}"
    for target in section.targets:
        address = target.removeprefix(ROOM)
        if is_bare_name(parse_jid(address), hosted):
            yield f"{where} targets: {address!r} is not an address; write {address}@{domain}"
    if section.secret and len(section.secret) not in SECRET_LENGTH:
        yield f"{where} secret: must have {SECRET_LENGTH.start} to {SECRET_LENGTH.stop - 1} characters"
    if section.nick and not _is_nick(section.nick):
        yield f"{where} nick = {section.nick[:100]!r}: nobody can be called so in a room"
    if section.template and section.template_file:
        yield f"{where} template_file: template is set too; keep one of the two"
    else:
        yield from _template_problems(where, section, settings, check_template)


def _template_problems(where: str, section: HookSettings, settings: Settings, check_template: CheckTemplate | None) -> Iterator[str]:
    key = "template_file" if section.template_file else "template"
    try:
        template = template_of(section, settings.base)
        if template is not None and check_template is not None:
            check_template(template, templates_folder(settings))
    except (OSError, ValueError) as e:
        reason = "it is not UTF-8 text" if isinstance(e, UnicodeError) else getattr(e, "strerror", None) or str(e)
        yield f"{where} {key}: {reason}"


def _is_nick(nick: str) -> bool:
    try:
        JID("", "localhost", "").at(nick)
    except InvalidJID:
        return False
    return True
