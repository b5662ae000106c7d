"""The parser of configuration files: reads each setting with its line number, and finds every unreadable line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

SECTION = re.compile(r"\[\s*(?P<name>[^\]]+?)\s*\](?P<rest>.*)")
SETTING = re.compile(r"(?P<key>[^=:]*?)\s*[=:]\s*(?P<value>.*)")
UNOPENED = re.compile(r"[A-Za-z][\w.-]*\s*\]")
BROKEN = "\0"
"""What the names of sections begin with that are not sections: their settings belong nowhere, and nothing is said about them."""
COMMENT = ("#", ";")
MOST_LINES = 5000  # that are neither blank nor comments: what has more was not written as a configuration
REMEDY = "write KEY = VALUE; a comment begins with # or ;"


@dataclass(slots=True)
class IniEntry:
    """One setting in the file."""

    section: str
    key: str  # in lower case
    value: str  # with the indented lines below it
    line: int


class Problem(NamedTuple):
    """A line that cannot be read. `word`: its first word; `above`: the key before it, whose value it may belong to."""

    line: int
    section: str | None
    word: str
    sentence: str
    above: str = ""


@dataclass(slots=True)
class IniFile:
    """The content of a file."""

    sections: dict[str, int] = field(default_factory=dict)  # name → line
    entries: list[IniEntry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_cut: bool = False  # whether it has more than MOST_LINES, of which the rest was not read

    def cut(self) -> None:
        """Take note that lines are left."""
        self.is_cut = True


def read_ini(text: str) -> IniFile:
    """Read all lines of `text`. Sentences contain no values, which may be secrets."""
    file = IniFile()
    section: str | None = None
    last: IniEntry | None = None
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith(COMMENT):
            continue
        if (count := count + 1) > MOST_LINES:
            file.cut()
            break
        if match := SECTION.fullmatch(content):
            section, last = _section(file, match, number), None
        elif content.startswith("[") or UNOPENED.fullmatch(content):
            section, last = f"{BROKEN}{content}", None  # its settings are left out, so that they are not reported too
            missing = "]" if content.startswith("[") else "["
            file.problems.append(Problem(number, None, "", f"the {missing} of a section is missing; write [server], for example"))
        elif line[0].isspace() and last:
            last.value += f"\n{content}"
        else:
            last = _setting(file, section, content, number)
    return file


def _section(file: IniFile, match: re.Match[str], number: int) -> str:
    name, rest = match["name"], match["rest"].strip()
    if rest and not rest.startswith(COMMENT):
        file.problems.append(Problem(number, name, "", "there is something after it; put that on a line of its own"))
    if name in file.sections:
        sentence = f"appears twice, first in line {file.sections[name]}; put all its settings below one of the two"
        file.problems.append(Problem(number, name, "", sentence))
    file.sections.setdefault(name, number)
    return name


def _setting(file: IniFile, section: str | None, content: str, number: int) -> IniEntry | None:
    match = SETTING.fullmatch(content)
    if section is None and any(entry.section == BROKEN for entry in file.entries):
        section = BROKEN  # said about the first one
    if section is not None and section.startswith(BROKEN):
        if match and match["key"]:
            file.entries.append(IniEntry(section, match["key"].lower(), match["value"], number))
        return None
    if not match:
        above = " and no section above" if section is None else ""
        sentence = f"there is no = in it{above}; {REMEDY}"
    elif not match["key"]:
        sentence = f"there is nothing before the =; {REMEDY}"
    elif section is None:
        file.entries.append(IniEntry(BROKEN, match["key"].lower(), match["value"], number))
        sentence = "there is no section above it; write the one that it belongs to, such as [server], on a line above"
    else:
        return _kept(file, IniEntry(section, match["key"].lower(), match["value"], number))
    above = file.entries[-1].key if file.entries else ""
    file.problems.append(Problem(number, section, re.split(r"[\s=:]", content)[0].lower(), sentence, above))
    return None


def _kept(file: IniFile, entry: IniEntry) -> IniEntry:
    for other in file.entries:
        if (other.section, other.key) == (entry.section, entry.key):
            sentence = f"appears twice, first in line {other.line}; keep one of the two"
            file.problems.append(Problem(entry.line, entry.section, entry.key, sentence))
            return entry
    file.entries.append(entry)
    return entry
