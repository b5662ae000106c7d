"""Loading of the settings from file, environment and secret files, checked against the table."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from xmpp_rest.config.ini_file import IniEntry, Problem, read_ini
from xmpp_rest.config.readers import domain_name
from xmpp_rest.config.table import FAMILIES, SECTIONS, Settings, key_of, table_of

PREFIX = "XMPP_REST_"
NOT_SETTINGS = {"XMPP_REST_CONFIG", "XMPP_REST_REQUIRE_LIVE"}
MAX_SECRET = 65536  # characters of a <key>_file
MOVED = {("client", "origins"): ("server", "origins")}
"""Renamed settings, which are read under their old section and key with a notice: old place → new one."""
RENAMED_VALUES = {("server", "worker_class"): {"xmpp_rest.http.worker.Worker": "xmpp_rest.serving.worker.Worker"}}
"""Values that are read as their new name, with a notice: place → old value → new one."""
MEANT = {("server", key): "write bind = HOST:PORT" for key in ("host", "port", "address", "listen", "interface", "ip")}
"""Keys that are known from other programs → the keys here."""
COMMENT_BEHIND = re.compile(r"(?:^|\s)[;#]+\s+\S")
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)


class SettingsError(ValueError):
    """The configuration is wrong. Each of `problems` names the place, its value and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


Texts = dict[str, dict[str, tuple[str, str]]]
"""section → key → (text, where it was found)."""


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the file at `path` (none: the defaults) under the environment. Raises SettingsError, every problem in it."""
    problems: list[str] = []
    notices: list[str] = []
    texts: Texts = {name: {} for name in SECTIONS}
    if path is not None:
        _read_file(path, texts, problems, notices)
    _read_environment(environ, texts, problems, notices)
    base = (path.parent if path else Path()).resolve()
    for section, keys in texts.items():
        _read_secret_files(section, keys, base, problems)
    _rename_values(texts, notices)
    if problems:
        raise SettingsError(problems)
    absolute = path.absolute() if path else None
    return _settings(texts, absolute, notices, lambda: load_settings(absolute, environ))


def given_texts(path: Path | None, environ: Mapping[str, str] = os.environ) -> Texts:
    """What the file and the environment over it say, as it is written there: the paths of secrets and not their content."""
    texts: Texts = {name: {} for name in SECTIONS}
    if path is not None:
        _read_file(path, texts, [], [])
    _read_environment(environ, texts, [], [])
    return texts


def _table(section: str) -> dict[str, Field[Any]]:
    return {key_of(f): f for f in fields(table_of(section))}


def _keys(section: str) -> list[str]:
    return [k for name, f in _table(section).items() for k in ([name, f"{name}_file"] if f.metadata["secret"] else [name])]


def _nearest(word: str, words: Iterable[str]) -> str:
    words = list(words)
    close = difflib.get_close_matches(word, words, 1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(words)}"


def _nearest_key(section: str, key: str) -> str:
    """The suggestion for an unknown key of a section."""
    name, *rest = key.split()
    if rest and name in _keys(section):  # `bind 127.0.0.1:8080`: the colon counts as =
        return f"write {name}, = and the value"
    if meant := MEANT.get((section, key)):
        return meant
    if homes := [f"[{other}]" for other in SECTIONS if key in _keys(other)]:
        return f"it belongs below {' or '.join(homes)}"
    return _nearest(key.replace("-", "_"), _keys(section))


def _is_one_of_many(section: str) -> bool:
    family, _, name = section.partition(".")
    return family in FAMILIES and name.replace("-", "").replace("_", "").isalnum()


def _read_text(path: Path) -> str:
    remedy = "name the file with --config or XMPP_REST_CONFIG"
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as e:
        raise SettingsError([f"{path}: cannot be read: {e.strerror}; {remedy}"]) from e
    except UnicodeDecodeError as e:
        raise SettingsError([f"{path}: is not UTF-8 text (byte {e.start}); save it as UTF-8, or {remedy}"]) from e


def _moved(section: str, key: str, where: str, notices: list[str]) -> tuple[str, str]:
    """The present section and key of a setting, which may have been renamed."""
    if (section, key) not in MOVED:
        return section, key
    new_section, new_key = MOVED[section, key]
    notices.append(f"{where} is now [{new_section}] {new_key}, for all APIs; it counts still, but write it there")
    return new_section, new_key


def _read_file(path: Path, texts: Texts, problems: list[str], notices: list[str]) -> None:
    file = read_ini(_read_text(path))
    problems += [f"{path}, line {problem.line}:{_where(problem)} {problem.sentence}" for problem in file.problems]
    known = {name for name in file.sections if name in SECTIONS or _is_one_of_many(name)}
    for section in file.sections:
        if section not in known:
            places = [*SECTIONS, *(f"{family}.NAME" for family in FAMILIES)]
            problems.append(f"{path}: [{section}]: there is no such section; {_nearest(section.lower(), places)}")
        else:
            texts.setdefault(section, {})
    written = {(entry.section, entry.key) for entry in file.entries}
    for entry in (e for e in file.entries if e.section in known):
        where = f"{path}: [{entry.section}] {entry.key}"
        section, key = _moved(entry.section, entry.key, where, notices)
        if key not in _keys(section):
            place = f"{where.removesuffix(entry.key)}{entry.key.split()[0]}"
            problems.append(f"{place}: there is no such setting; {_nearest_key(entry.section, entry.key)}")
        elif sentence := _misplaced(entry):
            problems.append(f"{where}: {sentence}")
        elif section != entry.section and (section, key) in written:
            problems.append(f"{where}: [{section}] {key} is set too; keep that one")
        else:
            texts[section][key] = (entry.value, where)


def _where(problem: Problem) -> str:
    """Section and key, if they may be shown: an unknown word below a secret may be part of it."""
    section = "" if problem.section is None else f" [{problem.section}]"
    keys = {key for name in (*SECTIONS, *(f"{family}.name" for family in FAMILIES)) for key in _keys(name)}
    shown = problem.word in keys or f"{problem.above}_file" not in keys
    return f"{section} {problem.word}:" if problem.word and shown else f"{section}:" if section else ""


def _misplaced(entry: IniEntry) -> str:
    """The part of a value that was probably not meant as such, such as a comment; empty if there is none."""
    if COMMENT_BEHIND.search(entry.value):
        secret = f"{entry.key}_file"
        apart = f"; a value that has ; or # in it can come from a file: {secret}" if secret in _keys(entry.section) else ""
        return f"a comment needs a line of its own, as a value is the rest of its line{apart}"
    for line in entry.value.splitlines()[1:]:
        key = line.partition("=")[0].strip().lower()
        if "=" in line and key in _keys(entry.section):
            return f"the line below it ({key} = …) is indented, and so part of this value; remove the blanks before it"
    return ""


def _read_environment(environ: Mapping[str, str], texts: Texts, problems: list[str], notices: list[str]) -> None:
    for name, value in sorted(environ.items()):
        if not name.upper().startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        place = _place(name.removeprefix(PREFIX).lower()) if name.startswith(PREFIX) else None
        if place is None:
            problems.append(f"{name}: there is no such setting; {_nearest_variable(name.upper())}")
            continue
        section, key = _moved(*place, name, notices)
        keys = texts.setdefault(section, {})
        keys.pop(key.removesuffix("_file"), None)  # the environment takes precedence over the file in either spelling
        keys.pop(f"{key}_file", None)
        keys[key] = (value.strip(), name)


def _nearest_variable(name: str) -> str:
    known = [*NOT_SETTINGS, *(f"{PREFIX}{section}_{key}".upper() for section in SECTIONS for key in _keys(section))]
    for family in FAMILIES:
        named = re.match(rf"{PREFIX}{family.upper()}_([A-Z0-9]+)_", name)
        known += [f"{PREFIX}{family}_{named[1] if named else 'NAME'}_{key}".upper() for key in _keys(f"{family}.name")]
    section, _, key = name.removeprefix(PREFIX).lower().partition("_")
    if (section, key) in MEANT:
        return f"write {PREFIX}{section.upper()}_BIND=HOST:PORT"
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else "write XMPP_REST_<SECTION>_<KEY>, both as in wsgi.ini"


def _place(name: str) -> tuple[str, str] | None:
    section, _, key = name.partition("_")
    if section in SECTIONS:
        return (section, key) if key in _keys(section) or (section, key) in MOVED else None
    if section not in FAMILIES:
        return None
    for known in sorted(_keys(section), key=len, reverse=True):  # CALLBACK_BOT_CONTENT_TYPE: the longest key that fits
        named = key.removesuffix(f"_{known}")
        if named not in (key, ""):
            return f"{section}.{named}", known
    return None


def _rename_values(texts: Texts, notices: list[str]) -> None:
    for (section, key), new_names in RENAMED_VALUES.items():
        value, where = texts[section].get(key, ("", ""))
        if (new := new_names.get(value)) is not None:
            texts[section][key] = (new, where)
            notices.append(f"{where}: {value} is now {new}; it counts still, but write the new name")


def _read_secret_files(section: str, keys: dict[str, tuple[str, str]], base: Path, problems: list[str]) -> None:
    for name, f in _table(section).items():
        if not f.metadata["secret"] or f"{name}_file" not in keys:
            continue
        path, where = keys.pop(f"{name}_file")
        if name in keys:
            problems.append(f"{where}: {name} is set too; keep one of the two")
            continue
        try:
            with (base / path).open(encoding="utf-8") as file:
                secret = file.read(MAX_SECRET + 1).strip()
            if not secret or len(secret) > MAX_SECRET:
                raise ValueError("it is empty" if not secret else f"it has more than {MAX_SECRET} characters")  # noqa: TRY301
            keys[name] = (secret, where)
        except (OSError, ValueError) as e:
            reason = "it is not UTF-8 text" if isinstance(e, UnicodeError) else getattr(e, "strerror", None) or str(e)
            remedy = "write the path of a text file that this user may read and that holds the secret alone"
            problems.append(f"{where} = {path!r}: cannot be read: {reason}; {remedy}")


def _settings(texts: Texts, file: Path | None, notices: list[str], again: Callable[[], Settings]) -> Settings:
    problems: list[str] = []
    hosted = _hosted_domain(texts["gateway"])
    read = {name: _section(name, keys, hosted, problems) for name, keys in texts.items()}
    if problems:
        raise SettingsError(problems)
    many = {family: {n.partition(".")[2]: v for n, v in read.items() if n.startswith(f"{family}.")} for family in FAMILIES}
    given = frozenset(f"{section}.{key}" for section, keys in texts.items() for key in keys)
    single = {name: read[name] for name in SECTIONS}
    base = str((file.parent if file else Path()).resolve())
    written = {f"{section}.{key}": text for section in SECTIONS for key, text in _texts_of(section, texts[section], hosted).items()}
    rest: dict[str, Any] = {"file": str(file or ""), "base": base, "given": given, "written": written, "again": again}
    rest["notices"] = tuple(notices)
    return Settings(**single, callbacks=many["callback"], rights=many["rights"], **rest)


def _texts_of(section: str, keys: dict[str, tuple[str, str]], hosted: str) -> dict[str, str]:
    """Every setting of a section as text, by its key; the default if it is not set."""
    texts = {name: keys[name][0] if name in keys else f.metadata["default"] for name, f in _table(section).items()}
    return {name: text.replace("<domain>", hosted) for name, text in texts.items()}


def _hosted_domain(keys: dict[str, tuple[str, str]]) -> str:
    """The value of `<domain>`; the default if the setting is wrong, which `_section` reports."""
    default = str(_table("gateway")["domain"].metadata["default"])
    try:
        return domain_name(keys["domain"][0]) if "domain" in keys else default
    except ValueError:
        return default


def _hint(written: str) -> str:
    """A hint for a value that could not be read."""
    if re.search(r"\s[;#]", written):
        return "; a comment needs a line of its own"
    return "; remove the quotation marks" if QUOTED.fullmatch(written) else ""


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
            problems.append(f"{where} = {shown}: {e}{_hint(written)}")
    return None if problems else table_of(section)(**values)
