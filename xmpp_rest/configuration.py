"""Where do the settings come from? File, environment and secret files, put together and checked against the table."""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from xmpp_rest.setting_types import domain_name
from xmpp_rest.settings import FAMILIES, SECTIONS, Settings, key_of, table_of

PREFIX = "XMPP_REST_"
NOT_SETTINGS = {"XMPP_REST_CONFIG", "XMPP_REST_REQUIRE_LIVE"}
MAX_SECRET = 65536  # bytes of a <key>_file


class SettingsError(ValueError):
    """Something is wrong with the configuration. Each of `problems` names where, what stands there and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


Texts = dict[str, dict[str, tuple[str, str]]]
"""section → key → (text, where it was found)."""


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the file at `path` (none: the defaults) under the environment. Raises SettingsError, every problem in it."""
    problems: list[str] = []
    texts: Texts = {name: {} for name in SECTIONS}
    if path is not None:
        _read_file(path, texts, problems)
    _read_environment(environ, texts, problems)
    base = (path.parent if path else Path()).resolve()
    for section, keys in texts.items():
        _read_secret_files(section, keys, base, problems)
    if problems:
        raise SettingsError(problems)
    absolute = path.absolute() if path else None
    return _settings(texts, base, lambda: load_settings(absolute, environ))


def _table(section: str) -> dict[str, Field[Any]]:
    return {key_of(f): f for f in fields(table_of(section))}


def _keys(section: str) -> list[str]:
    return [k for name, f in _table(section).items() for k in ([name, f"{name}_file"] if f.metadata["secret"] else [name])]


def _nearest(word: str, words: Iterable[str]) -> str:
    words = list(words)
    close = difflib.get_close_matches(word, words, 1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(words)}"


def _is_one_of_many(section: str) -> bool:
    family, _, name = section.partition(".")
    return family in FAMILIES and name.replace("-", "").replace("_", "").isalnum()


def _read_file(path: Path, texts: Texts, problems: list[str]) -> None:
    # No interpolation: a secret may hold a percent sign.
    ini = configparser.ConfigParser(interpolation=None, default_section="\0")
    try:
        with path.open(encoding="utf-8") as file:
            ini.read_file(file)
    except OSError as e:
        raise SettingsError([f"{path}: cannot be read: {e.strerror}; name the file with --config or XMPP_REST_CONFIG"]) from e
    except (configparser.Error, UnicodeDecodeError) as e:
        raise SettingsError([f"{path}: {' '.join(str(e).split())}"]) from e
    for section in ini.sections():
        if section not in SECTIONS and not _is_one_of_many(section):
            known = [*SECTIONS, *(f"{family}.NAME" for family in FAMILIES)]
            problems.append(f"{path}: [{section}]: there is no such section; {_nearest(section, known)}")
            continue
        found = texts.setdefault(section, {})
        for key, value in ini.items(section):
            if key in _keys(section):
                found[key] = (value.strip(), f"{path}: [{section}] {key}")
            else:
                problems.append(f"{path}: [{section}] {key}: there is no such setting; {_nearest(key, _keys(section))}")


def _read_environment(environ: Mapping[str, str], texts: Texts, problems: list[str]) -> None:
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        place = _place(name.removeprefix(PREFIX).lower())
        if place is None:
            problems.append(f"{name}: there is no such setting; write XMPP_REST_<SECTION>_<KEY>, both as in wsgi.ini")
            continue
        section, key = place
        keys = texts.setdefault(section, {})
        keys.pop(key.removesuffix("_file"), None)  # the environment outranks the file in either spelling
        keys.pop(f"{key}_file", None)
        keys[key] = (value.strip(), name)


def _place(name: str) -> tuple[str, str] | None:
    section, _, key = name.partition("_")
    if section in SECTIONS:
        return (section, key) if key in _keys(section) else None
    if section not in FAMILIES:
        return None
    for known in sorted(_keys(section), key=len, reverse=True):  # CALLBACK_BOT_CONTENT_TYPE: the longest key that fits
        named = key.removesuffix(f"_{known}")
        if named not in (key, ""):
            return f"{section}.{named}", known
    return None


def _read_secret_files(section: str, keys: dict[str, tuple[str, str]], base: Path, problems: list[str]) -> None:
    for name, f in _table(section).items():
        if not f.metadata["secret"] or f"{name}_file" not in keys:
            continue
        path, where = keys.pop(f"{name}_file")
        if name in keys:
            problems.append(f"{where}: {name} is set, too; keep one of the two")
            continue
        try:
            with (base / path).open(encoding="utf-8") as file:
                keys[name] = (file.read(MAX_SECRET).strip(), where)
        except (OSError, UnicodeDecodeError) as e:
            problems.append(f"{where}: {path!r} cannot be read ({e}); write the path of a text file that holds the secret alone")


def _settings(texts: Texts, base: Path, again: Callable[[], Settings]) -> Settings:
    problems: list[str] = []
    hosted = _hosted_domain(texts["gateway"])
    read = {name: _section(name, keys, hosted, problems) for name, keys in texts.items()}
    if problems:
        raise SettingsError(problems)
    many = {family: {n.partition(".")[2]: v for n, v in read.items() if n.startswith(f"{family}.")} for family in FAMILIES}
    given = frozenset(f"{section}.{key}" for section, keys in texts.items() for key in keys)
    single = {name: read[name] for name in SECTIONS}
    return Settings(**single, callbacks=many["callback"], rights=many["rights"], base=str(base), given=given, again=again)


def _hosted_domain(keys: dict[str, tuple[str, str]]) -> str:
    """What `<domain>` stands for; the default also where the setting is wrong, which `_section` reports."""
    default = str(_table("gateway")["domain"].metadata["default"])
    try:
        return domain_name(keys["domain"][0]) if "domain" in keys else default
    except ValueError:
        return default


def _section(section: str, keys: dict[str, tuple[str, str]], hosted: str, problems: list[str]) -> Any:
    values = {}
    for name, f in _table(section).items():
        written, where = keys.get(name, (f.metadata["default"], f"[{section}] {name}"))
        if f.metadata["required"] and not written:
            problems.append(f"[{section}] {name}: is missing; {f.metadata['doc']}")
            continue
        try:
            values[f.name] = f.metadata["read"](written.replace("<domain>", hosted))
        except ValueError as e:
            shown = "(hidden)" if f.metadata["secret"] else repr(written)
            problems.append(f"{where} = {shown}: {e}")
    return None if problems else table_of(section)(**values)
