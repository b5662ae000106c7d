"""A configuration that works in another folder, for backups: it has what came from the environment, and names files beside itself alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from xmpp_rest.config.ini_file import COMMENT, SECTION, SETTING, read_ini
from xmpp_rest.config.texts import MOVED, Texts, given_texts

SECRETS = "secrets"  # the folder of secrets, and of other values, that come from files
FILE = "_file"  # at the end of the keys that name one
FOLDERS = (("hooks", "templates", "*.txt"),)
"""Settings that name a folder, and what is read of it."""

Changes = Mapping[tuple[str, str], str | None]
"""(section, key) → the value; None: no such line."""


class PortableConfig(NamedTuple):
    """The text of the configuration, and the files that it names: path in the folder of the configuration → content."""

    text: str
    files: dict[str, bytes]


def portable(file: str, changes: Mapping[tuple[str, str], str], environ: Mapping[str, str] = os.environ) -> PortableConfig:
    """The configuration in `file` ("": there is none) and the environment, with other values for some. Raises OSError."""
    path = Path(file) if file else None
    text = path.read_text(encoding="utf-8-sig") if path else ""
    texts = given_texts(path, environ)
    wanted: dict[tuple[str, str], str | None] = dict(_from_elsewhere(text, texts))
    base = path.parent if path else Path()
    files: dict[str, bytes] = {}
    for section, keys in texts.items():
        for key in (key for key in keys if key.endswith(FILE) and keys[key][0]):
            name = f"{SECRETS}/{section}.{key.removesuffix(FILE)}"
            files[name] = (base / keys[key][0]).read_bytes()
            wanted[section, key] = name
    for section, key, pattern in FOLDERS:
        if folder := texts.get(section, {}).get(key, ("",))[0]:
            name = f"{SECRETS}/{section}.{key}"
            found = {f"{name}/{file.name}": file.read_bytes() for file in sorted((base / folder).glob(pattern)) if file.is_file()}
            files |= found
            wanted[section, key] = name if found else ""  # an empty folder would not be in the backup
    for (section, key), value in changes.items():
        wanted[section, key] = value
        if files.pop(f"{SECRETS}/{section}.{key}", None) is not None:
            wanted[section, f"{key}{FILE}"] = None
    return PortableConfig(with_values(text, wanted), files)


def _from_elsewhere(text: str, texts: Texts) -> Changes:
    """What has to be written or removed so that the text says what file and environment say."""
    written = {(entry.section, entry.key): entry.value for entry in read_ini(text).entries}
    moved = {new: old for old, new in MOVED.items()}
    changes: dict[tuple[str, str], str | None] = {}
    for section, keys in texts.items():
        for key, (value, _) in keys.items():
            place = section, key
            if value not in (written.get(place), written.get(moved.get(place, place))):
                changes[place] = value
    for section, key in written:
        other = key.removesuffix(FILE) if key.endswith(FILE) else f"{key}{FILE}"
        if key not in texts.get(section, {}) and other in texts.get(section, {}):  # the environment has it in the other spelling
            changes[section, key] = None
    return changes


def with_values(text: str, changes: Changes) -> str:
    """A configuration with other values, and otherwise as it is, comments included."""
    left = dict(changes)
    lines: list[str] = []
    section, dropping = "", False
    for line in text.splitlines():
        content = line.strip()
        if content and not content.startswith(COMMENT):
            if line[0].isspace() and section and not SECTION.fullmatch(content):
                if dropping:
                    continue
            elif match := SECTION.fullmatch(content):
                section, dropping = match["name"], False
            else:
                place = section, (match["key"].lower() if (match := SETTING.fullmatch(content)) else "")
                dropping = place in changes
                if dropping:
                    if (value := left.pop(place, None)) is not None:
                        lines += _setting(place[1], value)
                    continue
        lines.append(line)
    for place, value in left.items():
        if value is not None:
            _insert(lines, *place, value)
    return "\n".join(lines) + "\n"


def _setting(key: str, value: str) -> list[str]:
    first, *more = value.split("\n")
    return [f"{key} = {first}", *(f"    {line}" for line in more)]


def _insert(lines: list[str], section: str, key: str, value: str) -> None:
    """Add a setting as the first of its section, which is made at the end if it is not there."""
    for number, line in enumerate(lines):
        if (match := SECTION.fullmatch(line.strip())) and match["name"] == section:
            lines[number + 1 : number + 1] = _setting(key, value)
            return
    lines += ["", f"[{section}]", *_setting(key, value)]
