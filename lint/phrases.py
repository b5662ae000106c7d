"""Refuses phrases that are archaic or unclear (phrases.txt), and module docstrings that are questions.

Run by `make lint` over the code, the tests and the pages. Each finding is one line: file, line, phrase, replacement. Exit status 1 where
something was found.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
FOLDERS = ("bench", "deploy", "docs", "drivers", "lint", "tests", "xmpp_rest")
SUFFIXES = {".py", ".md", ".ini", ".conf", ".lua", ".yml", ".service", ".toml"}
NOT_OURS = ("docs/compatibility/", "tests/lint/", "tests/drivers/fixtures/", "tests/protocol/vectors/", "bench/RESULTS.md", "CHANGELOG.md")
"""What quotes other programs or the phrases, was measured, or is history."""


def phrases() -> dict[re.Pattern[str], str]:
    """Pattern → what to write instead."""
    lines = (HERE / "phrases.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split(" => ") for line in lines if line and not line.startswith("#"))
    return {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in rows}


def files() -> Iterator[str]:
    """The files that are ours to write."""
    found = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*")] + list(ROOT.glob("*"))
    for name in sorted(str(p.relative_to(ROOT)) for p in found if p.suffix in SUFFIXES):
        if not name.startswith(NOT_OURS):
            yield name


def found_phrases(name: str, text: str, banned: dict[re.Pattern[str], str]) -> Iterator[str]:
    present = {pattern: instead for pattern, instead in banned.items() if pattern.search(text)}
    for number, line in enumerate(text.splitlines() if present else (), 1):
        for pattern, instead in present.items():
            if match := pattern.search(line):
                yield f"{name}:{number}: {match[0].strip()!r}; write: {instead}"


def is_question(text: str) -> bool:
    """Whether the summary of a module's docstring is a question."""
    docstring = ast.get_docstring(ast.parse(text))
    return docstring is not None and bool(re.search(r"\?(?: \(|$)", docstring.partition("\n")[0]))


def main() -> int:
    """Print what was found; the exit status."""
    banned, findings = phrases(), list[str]()
    for name in files():
        text = (ROOT / name).read_text(encoding="utf-8")
        findings += found_phrases(name, text, banned)
        if name.endswith(".py") and is_question(text):
            findings.append(f"{name}:1: the docstring is a question; write what the module does")
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
