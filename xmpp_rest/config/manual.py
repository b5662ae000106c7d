"""The generator of the manual: writes wsgi.ini and docs/settings.md from the table (`make manual`)."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field
from typing import Any

from xmpp_rest.config.table import FAMILIES, SECTIONS, key_of, settings_of

WIDTH = 118
MANY = {"callback": "callback.bot", "rights": "rights.figures", "hook": "hook.ops", "login": "login.others"}
"""Sections that may occur more than once, with the example in the file."""
Values = Mapping[tuple[str, str], str]
"""(section, key) → value."""
NONE: Values = {}
_INI_HEAD = """\
# The configuration of xmpp-rest and the manual of all settings. Each setting is listed with its default; remove the leading `;`
# to change it. Lines that begin with # or ; are ignored; a value is the rest of its line, taken literally.
# (In the source tree this file is generated from xmpp_rest/config/table.py by `make manual`.)
#
# Each setting can also come from the environment, which takes precedence: XMPP_REST_<SECTION>_<KEY>, for example
# XMPP_REST_SERVER_BIND, and XMPP_REST_CALLBACK_BOT_URL for `url` of [callback.bot] (which creates the section).
# A secret can be kept in a file of its own: <key>_file = PATH, or XMPP_REST_<SECTION>_<KEY>_FILE.
# `<domain>` in a value stands for [gateway] domain. Relative paths are below the folder of this file.
#
# `xmpp-rest check` (in a checkout: `python app.py check`) checks the configuration and says what the gateway would do."""


def _default_of(f: Field[Any]) -> str:
    return str(f.metadata["default"])


def _ini_setting(f: Field[Any], section: str, values: Values) -> Iterator[str]:
    doc = str(f.metadata["doc"]) + (f" A secret; {key_of(f)}_file reads it from a file." if f.metadata["secret"] else "")
    yield from textwrap.wrap(doc, WIDTH, initial_indent="# ", subsequent_indent="# ")
    value, file = values.get((section, key_of(f))), values.get((section, f"{key_of(f)}_file"))
    yield f"{key_of(f)} = {value}" if value is not None else f";{key_of(f)} = {_default_of(f)}".rstrip()
    if file is not None:
        yield f"{key_of(f)}_file = {file}"


def _ini_section(name: str, section: type, values: Values) -> Iterator[str]:
    yield from ("", "", f"# {section.__doc__}", f";[{MANY[name]}]" if name in MANY else f"[{name}]")
    for f in settings_of(section):
        yield ""
        yield from _ini_setting(f, name, values)


def ini(values: Values = NONE) -> str:
    """The text of wsgi.ini, in which these values are set, and no others."""
    lines = [_INI_HEAD]
    for name, section in (SECTIONS | FAMILIES).items():
        lines += _ini_section(name, section, values)
    return "\n".join(lines) + "\n"


def _markdown_section(name: str, section: type) -> Iterator[str]:
    yield from ("", f"## `[{name}.NAME]`" if name in MANY else f"## `[{name}]`", "", str(section.__doc__), "")
    yield from ("| key | default | meaning |", "| --- | --- | --- |")
    for f in settings_of(section):
        default = f"`{_default_of(f)}`" if _default_of(f) else "required" if f.metadata["required"] else "empty"
        secret = f" A secret; `{key_of(f)}_file` reads it from a file." if f.metadata["secret"] else ""
        doc = str(f.metadata["doc"]).replace("|", "\\|").replace("<", "&lt;")
        yield f"| `{key_of(f)}` | {default} | {doc}{secret} |"


def markdown() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Generated from `xmpp_rest/config/table.py` by `make manual`; `wsgi.ini` has the same descriptions.",
        "A value comes from the environment (`XMPP_REST_<SECTION>_<KEY>`), else from `wsgi.ini`, else it is the default.",
        "`<domain>` in a value stands for `[gateway] domain`.",
    ]
    for name, section in (SECTIONS | FAMILIES).items():
        lines += _markdown_section(name, section)
    return "\n".join(lines) + "\n"


TEXTS: dict[str, Callable[[], str]] = {"ini": ini, "markdown": markdown}

if __name__ == "__main__":
    sys.stdout.write(TEXTS[sys.argv[1]]())
