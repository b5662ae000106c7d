"""Loading of the settings: what is written is read by the table, and every mistake is found at once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from xmpp_rest.config.readers import domain_name
from xmpp_rest.config.table import FAMILIES, SECTIONS, Settings, table_of
from xmpp_rest.config.texts import Place, Written, read_texts, table

LONGEST_SHOWN = 200  # characters of a value
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)


class SettingsError(ValueError):
    """The configuration is wrong. Each of `problems` names the place, its value and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Reading(NamedTuple):
    """Settings, and what is wrong with what they were read from: each of the places `wrong` has its default."""

    settings: Settings
    problems: list[str]
    wrong: frozenset[Place]


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the file at `path` (none: the defaults) under the environment. Raises SettingsError, every problem in it."""
    reading = read_settings(path, environ)
    if reading.problems:
        raise SettingsError(reading.problems)
    return reading.settings


def read_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Reading:
    """As `load_settings`, but with the settings that can be read beside wrong ones, so that the rest can be looked at too."""
    written = read_texts(path, environ)
    absolute = path.absolute() if path else None
    settings = _settings(written, absolute, lambda: load_settings(absolute, environ))
    return Reading(settings, written.problems, frozenset(written.wrong))


def _settings(written: Written, file: Path | None, again: Callable[[], Settings]) -> Settings:
    texts = written.texts
    hosted = _hosted_domain(texts["gateway"])
    read = {name: _section(name, keys, hosted, written) for name, keys in texts.items()}
    many = {family: {n.partition(".")[2]: v for n, v in read.items() if v and n.startswith(f"{family}.")} for family in FAMILIES}
    given = frozenset(f"{section}.{key}" for section, keys in texts.items() for key in keys)
    single = {name: read[name] for name in SECTIONS}
    base = str((file.parent if file else Path()).resolve())
    all_texts = {f"{section}.{key}": text for section in SECTIONS for key, text in _texts_of(section, texts[section], hosted).items()}
    rest: dict[str, Any] = {"file": str(file or ""), "base": base, "given": given, "written": all_texts, "again": again}
    rest["notices"] = tuple(written.notices)
    logins = {name: replace(login.below(Path(base)), name=name) for name, login in many["login"].items()}
    return Settings(**single, callbacks=many["callback"], rights=many["rights"], own_hooks=many["hook"], logins=logins, **rest)


def _texts_of(section: str, keys: dict[str, tuple[str, str]], hosted: str) -> dict[str, str]:
    """Every setting of a section as text, by its key; the default if it is not set."""
    texts = {name: keys[name][0] if name in keys else f.metadata["default"] for name, f in table(section).items()}
    return {name: text.replace("<domain>", hosted) for name, text in texts.items()}


def _hosted_domain(keys: dict[str, tuple[str, str]]) -> str:
    """The value of `<domain>`; the default if the setting is wrong, which `_section` reports."""
    default = str(table("gateway")["domain"].metadata["default"])
    try:
        return domain_name(keys["domain"][0]) if "domain" in keys else default
    except ValueError:
        return default


def _shown(written: str) -> str:
    """A value, or the beginning of one that is too long for a sentence."""
    return repr(written) if len(written) <= LONGEST_SHOWN else f"{written[:LONGEST_SHOWN]!r}…"


def _hint(written: str) -> str:
    """A hint for a value that could not be read."""
    if re.search(r"[;#]", written):
        return "; a comment needs a line of its own"
    return "; remove the quotation marks" if QUOTED.fullmatch(written) else ""


def _section(section: str, keys: dict[str, tuple[str, str]], hosted: str, into: Written) -> Any:
    """One section; None for one of many that has a mistake, as there are no defaults that could stand for it."""
    values = {}
    for name, f in table(section).items():
        default = f.metadata["default"]
        written, where = keys.get(name, (default, f"[{section}] {name}"))
        if f.metadata["required"] and not written:
            if (section, name) not in into.wrong:
                into.problems.append(f"[{section}] {name}: is missing; {f.metadata['doc']}")
                into.wrong.add((section, name))
            continue
        try:
            values[f.name] = f.metadata["read"](written.replace("<domain>", hosted))
        except ValueError as e:
            shown = "(hidden)" if f.metadata["secret"] else _shown(written)
            into.problems.append(f"{where} = {shown}: {e}{_hint(written)}")
            into.wrong.add((section, name))
            values[f.name] = f.metadata["read"](default.replace("<domain>", hosted)) if section in SECTIONS else None
    if section in SECTIONS or not any(place[0] == section for place in into.wrong):
        return table_of(section)(**values)
    return None
