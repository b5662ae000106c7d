"""What file, environment and secret files say, as text: unknown places, damaged lines and unreadable files are found here."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field
from pathlib import Path
from typing import Any

from xmpp_rest.config.ini_file import MOST_LINES, IniEntry, Problem, read_ini
from xmpp_rest.config.table import FAMILIES, SECTIONS, key_of, settings_of, table_of

PREFIX = "XMPP_REST_"
NOT_SETTINGS = {
    *("XMPP_REST_CONFIG", "XMPP_REST_REQUIRE_LIVE"),
    *("XMPP_REST_URL", "XMPP_REST_TOKEN", "XMPP_REST_TOKEN_FILE"),  # of the command line, for a gateway on another machine
}
MAX_FILE = 16 << 20  # bytes of a configuration
REMEDY = "name the file with --config or XMPP_REST_CONFIG"
MAX_SECRET = 65536  # characters of a <key>_file
MOVED = {("client", "origins"): ("server", "origins")}
"""Renamed settings, which are read under their old section and key with a notice: old place → new one."""
RENAMED_VALUES = {("server", "worker_class"): {"xmpp_rest.http.worker.Worker": "xmpp_rest.serving.worker.Worker"}}
"""Values that are read as their new name, with a notice: place → old value → new one."""
MEANT = {("server", key): "write bind = HOST:PORT" for key in ("host", "port", "address", "listen", "interface", "ip")}
"""Keys that are known from other programs → the keys here."""
COMMENT_BEHIND = re.compile(r"(?:^|\s)[;#]+\s+\S")


Place = tuple[str, str]
"""Section and key."""
Texts = dict[str, dict[str, tuple[str, str]]]
"""section → key → (text, where it was found)."""


@dataclass(slots=True)
class Written:
    """What is written. `wrong`: the places whose text is not known, as there is a problem with it."""

    texts: Texts = field(default_factory=lambda: {name: {} for name in SECTIONS})
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    wrong: set[Place] = field(default_factory=set)


def read_texts(path: Path | None, environ: Mapping[str, str] = os.environ) -> Written:
    """All that the file at `path` (None: there is none) and the environment over it say, with the content of secret files."""
    written = _as_written(path, environ)
    base = (path.parent if path else Path()).resolve()
    for section, keys in written.texts.items():
        _read_secret_files(section, keys, base, written)
    _rename_values(written)
    return written


def given_texts(path: Path | None, environ: Mapping[str, str] = os.environ) -> Texts:
    """What the file and the environment over it say, as it is written there: the paths of secrets and not their content."""
    return _as_written(path, environ).texts


def _as_written(path: Path | None, environ: Mapping[str, str]) -> Written:
    written = Written()
    if path is not None:
        _read_file(path, written)
    _read_environment(environ, written)
    return written


def setting_names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The names of the settings in the environment, and of what was meant as one."""
    return sorted(name for name in environ if name.upper().startswith(PREFIX) and name not in NOT_SETTINGS)


def table(section: str) -> dict[str, Field[Any]]:
    return {key_of(f): f for f in settings_of(table_of(section))}


def _keys(section: str) -> list[str]:
    return [k for name, f in table(section).items() for k in ([name, f"{name}_file"] if f.metadata["secret"] else [name])]


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


def _read_text(path: Path, written: Written) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) <= MAX_FILE:
            return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        written.problems.append(f"{path}: is larger than {MAX_FILE >> 20} MB, so it is not a configuration; {REMEDY}")
    except UnicodeDecodeError as e:
        written.problems.append(f"{path}: is not UTF-8 text (byte {e.start}); save it as UTF-8, or {REMEDY}")
    except (OSError, ValueError) as e:  # ValueError: a NUL in the path
        written.problems.append(f"{path}: cannot be read: {getattr(e, 'strerror', None) or e}; {REMEDY}")
    return ""


def _moved(section: str, key: str, where: str, notices: list[str]) -> tuple[str, str]:
    """The present section and key of a setting, which may have been renamed."""
    if (section, key) not in MOVED:
        return section, key
    new_section, new_key = MOVED[section, key]
    notices.append(f"{where} is now [{new_section}] {new_key}, for all APIs; it counts still, but write it there")
    return new_section, new_key


def _read_file(path: Path, into: Written) -> None:
    problems, texts = into.problems, into.texts
    file = read_ini(_read_text(path, into))
    if file.is_cut:
        problems.append(f"{path}: has more than {MOST_LINES} lines beside comments, so it is not a configuration; {REMEDY}")
        return
    into.wrong.update(place for problem in file.problems for place in _meant(problem.section or "", problem.word))
    problems += [f"{path}, line {problem.line}:{_where(problem)} {problem.sentence}" for problem in file.problems]
    known = {name for name in file.sections if name in SECTIONS or _is_one_of_many(name)}
    for section in file.sections:
        if section not in known:
            places = [*SECTIONS, *(f"{family}.NAME" for family in FAMILIES)]
            problems.append(f"{path}: [{section}]: there is no such section; {_nearest(section.lower(), places)}")
        else:
            texts.setdefault(section, {})
    written = {(entry.section, entry.key) for entry in file.entries}
    into.wrong.update(place for entry in file.entries if entry.section not in known for place in _meant(entry.section, entry.key))
    for entry in (e for e in file.entries if e.section in known):
        where = f"{path}: [{entry.section}] {entry.key}"
        section, key = _moved(entry.section, entry.key, where, into.notices)
        if key not in _keys(section):
            place = f"{where.removesuffix(entry.key)}{entry.key.split()[0]}"
            problems.append(f"{place}: there is no such setting; {_nearest_key(entry.section, entry.key)}")
        elif sentence := _misplaced(entry):
            problems.append(f"{where}: {sentence}")
            into.wrong.add((section, key.removesuffix("_file")))
        elif section != entry.section and (section, key) in written:
            problems.append(f"{where}: [{section}] {key} is set too; keep that one")
        else:
            texts[section][key] = (entry.value, where)


def _meant(section: str, key: str) -> Iterator[Place]:
    """The places that may be meant by a key in a section; in one that there is not, by the key in any."""
    if section in SECTIONS or _is_one_of_many(section):
        yield section, key.removesuffix("_file")
    else:
        yield from ((other, key) for other in SECTIONS if key in _keys(other))


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


def _read_environment(environ: Mapping[str, str], into: Written) -> None:
    for name in setting_names(environ):
        value = environ[name]
        place = _place(name.removeprefix(PREFIX).lower()) if name.startswith(PREFIX) else None
        if place is None:
            into.problems.append(f"{name}: there is no such setting; {_nearest_variable(name.upper())}")
            continue
        section, key = _moved(*place, name, into.notices)
        keys = into.texts.setdefault(section, {})
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
    close = difflib.get_close_matches(name, known, 1, 0.7)  # all begin alike
    return f"did you mean {close[0]}?" if close else "write XMPP_REST_<SECTION>_<KEY>, both as in wsgi.ini"


def _place(name: str) -> tuple[str, str] | None:
    section = next((s for s in sorted(SECTIONS, key=len, reverse=True) if name.startswith(f"{s}_")), "")  # post_msg has a _ in it
    if section:
        key = name.removeprefix(f"{section}_")
        return (section, key) if key in _keys(section) or (section, key) in MOVED else None
    section, _, key = name.partition("_")
    if section not in FAMILIES:
        return None
    for known in sorted(_keys(section), key=len, reverse=True):  # CALLBACK_BOT_CONTENT_TYPE: the longest key that fits
        named = key.removesuffix(f"_{known}")
        if named not in (key, ""):
            return f"{section}.{named}", known
    return None


def _rename_values(into: Written) -> None:
    for (section, key), new_names in RENAMED_VALUES.items():
        value, where = into.texts[section].get(key, ("", ""))
        if (new := new_names.get(value)) is not None:
            into.texts[section][key] = (new, where)
            into.notices.append(f"{where}: {value} is now {new}; it counts still, but write the new name")


def _read_secret_files(section: str, keys: dict[str, tuple[str, str]], base: Path, into: Written) -> None:
    for name, f in table(section).items():
        if not f.metadata["secret"] or f"{name}_file" not in keys:
            continue
        path, where = keys.pop(f"{name}_file")
        if name in keys:
            into.problems.append(f"{where}: {name} is set too; keep one of the two")
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
            into.problems.append(f"{where} = {path!r}: cannot be read: {reason}; {remedy}")
            into.wrong.add((section, name))
