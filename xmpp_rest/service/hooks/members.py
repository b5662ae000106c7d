"""The members of a hook in JSON: how they are read, with who may set which, and how they are written (hooks §3)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xmpp_rest.config.hook_check import NAME, SECRET_LENGTH
from xmpp_rest.config.hook_readers import FORMATS, MAX_TARGETS, MAX_TEMPLATE, target
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import JID, InvalidJID, is_bare_name, parse_jid
from xmpp_rest.service.hooks.draft import Draft
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.times import read_time, write_time
from xmpp_rest.service.hooks.uses import HookUse

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What not every storage can keep: NUL, and halves of surrogate pairs."""
MAX_RATE = 6000  # requests a minute
MAX_NICK = 256  # characters
AUTO = "auto"
SET = ("name", "owner", "from", "targets", "format", "template", "nick", "update", "rate", "secret", "get", "expires")
READ_ONLY = ("made", "used", "deliveries", "source", "signed")
DIRECT = "may be set by administrators only"


class BadMember(ValueError):
    """A member has a wrong value, or there is no such member."""

    def __init__(self, member: str, sentence: str) -> None:
        super().__init__(f"{member}: {sentence}")
        self.member = member


class NotAllowed(BadMember):
    """Only administrators may set this member, or to this value."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a hook. `jid`: None: nobody with an account, who administers the gateway."""

    jid: JID | None
    admin: bool


@dataclass(frozen=True, slots=True)
class MemberReader:
    """Reads the members that a request gives a hook. Its methods raise BadMember, NotAllowed, StorageError."""

    settings: Settings
    exists: Callable[[JID], bool]
    is_admin: Callable[[JID], bool]
    check_template: Callable[[str], object]
    """Raises ValueError with the line that is wrong."""

    def read(self, body: Mapping[str, Any], asker: Asker, before: Hook | None = None) -> Draft:
        """What the members say; `before`: of a hook that is there."""
        for member in body:
            if member not in SET and member not in READ_ONLY:
                raise BadMember(member[:100], f"a hook has no such member; it has {', '.join(SET)}")
        owner = self._owner(body, asker, before)
        return Draft(
            owner=owner,
            speaks_as=self._speaks_as(body, owner, asker, before),
            targets=self._targets(body, owner),
            format=_format(body),
            template=self._template(body),
            nick=_nick(body, before.name if before else name_in(body)),
            update=_flag(body, "update"),
            rate=self._rate(body, asker, before),
            secret=_secret(body, before.secret if before else None),
            get=_flag(body, "get"),
            expires=_expires(body),
        )

    def _owner(self, body: Mapping[str, Any], asker: Asker, before: Hook | None) -> JID | None:
        address = self.settings.hooks.address
        now = before.owner if before else asker.jid or address
        owner = _jid(body, "owner") if "owner" in body else now
        if owner != now and not asker.admin:
            raise NotAllowed("owner", DIRECT)
        if owner == address:
            return None
        if owner != now and not self.exists(owner):
            raise BadMember("owner", f"there is no account {owner}")
        return owner

    def _speaks_as(self, body: Mapping[str, Any], owner: JID | None, asker: Asker, before: Hook | None) -> JID | None:
        usual = self.settings.hooks.address if owner is None or self.is_admin(owner) else owner
        wanted = _jid(body, "from") if "from" in body else usual
        if wanted == usual:
            return None
        if not asker.admin and (before is None or wanted != before.speaks_as):
            raise NotAllowed("from", DIRECT)
        if wanted.domain != self.settings.gateway.domain:
            raise BadMember("from", f"must be an address of {self.settings.gateway.domain}")
        return wanted

    def _targets(self, body: Mapping[str, Any], owner: JID | None) -> tuple[str, ...]:
        if "targets" not in body:
            if owner is None:
                raise BadMember("targets", "are missing: the hook is of no account that could be the default")
            return (str(owner),)
        given = body["targets"]
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise BadMember("targets", "must be an array of strings, each a JID or room:JID")
        found = tuple(dict.fromkeys(self._target(each) for each in given))
        if not 1 <= len(found) <= MAX_TARGETS:
            raise BadMember("targets", f"must be 1 to {MAX_TARGETS}")
        return found

    def _target(self, text: str) -> str:
        try:
            kept = target(text)
        except ValueError as e:
            raise BadMember("targets", f"{text[:100]!r} is not an address: {e}") from e
        if is_bare_name(parse_jid(kept.removeprefix("room:")), frozenset(self.settings.domains)):
            raise BadMember("targets", f"{text[:100]!r} is not an address: write {text[:100]}@{self.settings.gateway.domain}")
        return kept

    def _template(self, body: Mapping[str, Any]) -> str | None:
        template = body.get("template")
        if template is None:
            return None
        if not isinstance(template, str) or len(template) > MAX_TEMPLATE or UNSTORABLE.search(template):
            raise BadMember("template", f"must be a string of at most {MAX_TEMPLATE} characters, or null")
        try:
            self.check_template(template)
        except ValueError as e:
            raise BadMember("template", str(e)) from e
        return template or None

    def _rate(self, body: Mapping[str, Any], asker: Asker, before: Hook | None) -> int | None:
        rate = body.get("rate")
        if rate is None:
            return None
        if not isinstance(rate, int) or isinstance(rate, bool) or not 1 <= rate <= MAX_RATE:
            raise BadMember("rate", f"must be a whole number from 1 to {MAX_RATE}, or null")
        usual = self.settings.limits.hook
        if usual and rate > usual and not asker.admin and (before is None or before.rate != rate):
            raise NotAllowed("rate", f"above {usual} ([limits] hook) {DIRECT}")
        return rate


def name_in(body: Mapping[str, Any], path: str | None = None) -> str:
    """The name of a hook, capitals folded: that of the `path`, or the member's. Raises BadMember."""
    name = body.get("name", path)
    if not isinstance(name, str):
        raise BadMember("name", "must be a string" if "name" in body else "is missing")
    name = name.lower()
    if path is not None and name != path.lower():
        raise BadMember("name", "must be that of the URL, or be left out")
    if not NAME.fullmatch(name):
        raise BadMember("name", "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter or digit, but not with hk_")
    return name


def to_json(hook: Hook, use: HookUse) -> dict[str, Any]:
    """A hook as answers have it: without token and secret."""
    return {
        "name": hook.name,
        "owner": str(hook.owner),
        "from": str(hook.speaks_as),
        "targets": [str(each) for each in hook.targets],
        "format": hook.format,
        "template": hook.template,
        "nick": hook.called,
        "update": hook.update,
        "rate": hook.rate,
        "signed": hook.secret is not None,
        "get": hook.get,
        "expires": None if hook.expires is None else write_time(hook.expires),
        "made": write_time(hook.made),
        "used": None if use.used is None else write_time(use.used),
        "deliveries": use.deliveries,
        "source": hook.source.value,
    }


def _jid(body: Mapping[str, Any], member: str) -> JID:
    text = body[member]
    if not isinstance(text, str):
        raise BadMember(member, "must be a string")
    try:
        jid = parse_jid(text)
    except InvalidJID as e:
        raise BadMember(member, f"{text[:100]!r} is not an address: {e}") from e
    if jid.resource:
        raise BadMember(member, "must be an address without a resource")
    return jid


def _format(body: Mapping[str, Any]) -> str:
    value = body.get("format", AUTO)
    if value != AUTO and value not in FORMATS:
        raise BadMember("format", f"must be one of {AUTO}, {', '.join(FORMATS)}")
    return str(value)


def _flag(body: Mapping[str, Any], member: str) -> bool:
    value = body.get(member, False)
    if not isinstance(value, bool):
        raise BadMember(member, "must be true or false")
    return value


def _nick(body: Mapping[str, Any], name: str) -> str:
    """The nick; "" for the name."""
    nick = body.get("nick", name)
    if not isinstance(nick, str) or not nick.strip() or len(nick) > MAX_NICK:
        raise BadMember("nick", f"must be a string of 1 to {MAX_NICK} characters")
    if nick == name:
        return ""
    try:
        return JID("", "localhost", "").at(nick).resource
    except InvalidJID as e:
        raise BadMember("nick", str(e)) from e


def _secret(body: Mapping[str, Any], before: str | None) -> str | None:
    secret = body.get("secret", before)
    if secret is None or secret is before:
        return before if "secret" not in body else None
    if not isinstance(secret, str) or len(secret) not in SECRET_LENGTH or UNSTORABLE.search(secret):
        raise BadMember("secret", f"must be a string of {SECRET_LENGTH.start} to {SECRET_LENGTH.stop - 1} characters, or null")
    return secret


def _expires(body: Mapping[str, Any]) -> float | None:
    text = body.get("expires")
    if text is None:
        return None
    try:
        if not isinstance(text, str):
            raise ValueError("must be a string, or null")  # noqa: TRY301, TRY004
        when = read_time(text)
    except ValueError as e:
        raise BadMember("expires", f"is not a time such as 2026-12-24T18:00:00Z: {e}") from e
    if when <= time.time():
        raise BadMember("expires", "has passed already")
    return when
