"""An event of a forge: what all of them have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xmpp_rest.service.hooks.characters import end_of, one_line
from xmpp_rest.service.hooks.message_parts import items, number, string, table

QUOTED = 300
"""Characters of a comment that are quoted."""
COMMITS = 5
MARKS = {
    "success": "✅", "passed": "✅", "recovered": "✅", "failure": "❌", "failed": "❌", "error": "❌", "timed_out": "❌",
    "startup_failure": "❌", "cancelled": "🚫", "canceled": "🚫",
}  # fmt: skip
"""Conclusions and their marks."""


@dataclass(frozen=True, slots=True)
class ForgeEvent:
    """What an event says after the name of who did it: the rest of the first line, further lines, and where to look.

    `subject`: what its matter is called within the repository, "" for none; `state`, `ends`: see Said.
    """

    what: str
    url: str = ""
    lines: tuple[str, ...] = ()
    subject: str = ""
    state: str = ""
    ends: bool = False


def is_nothing(commit: str) -> bool:
    """Whether this is the id of no commit, before a branch is made and after it is deleted: zeros, of SHA-1 or SHA-256."""
    return bool(commit) and not commit.strip("0")


def pushed(value: dict[str, Any], branch: str, how: str) -> str:
    """How many commits were pushed to a branch, or that it was created without any. `how`: words that say more of it, or ""."""
    count = count_of(value)
    if not count and how == "created":
        return f"created branch {branch}"
    return f"pushed {counted(count, 'commit')} to {branch}{f' ({how})' if how else ''}"


def shown_ref(ref: str) -> tuple[str, str]:
    """The kind and the name of a ref: branch or tag."""
    if ref.startswith("refs/tags/"):
        return "tag", one_line(ref.removeprefix("refs/tags/"))
    return "branch", one_line(ref.removeprefix("refs/heads/"))


def commits(value: dict[str, Any]) -> tuple[str, ...]:
    """Up to COMMITS lines of id and first line of the message."""
    found = (table(each) for each in items(value.get("commits"))[:COMMITS])
    return tuple(f"{string(each, 'id')[:7]} {first_line(string(each, 'message'))}".strip() for each in found)


def count_of(value: dict[str, Any]) -> int:
    """How many commits were pushed; the forge may send the first of them only."""
    said = (number(value.get(name)) for name in ("total_commits", "total_commits_count"))
    listed = value.get("commits")
    return next((count for count in said if count is not None), len(listed) if isinstance(listed, list) else 0)


def counted(count: int, noun: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_line(text: str) -> str:
    """The first line that is not empty."""
    return next((one_line(line) for line in text[:10_000].splitlines() if line.strip()), "")


def numbered(sign: str, value: dict[str, Any], name: str = "number") -> str:
    """`#7: Title`."""
    identity, title = number(value.get(name)), one_line(string(value, "title") or string(value, "name"))
    return ": ".join(part for part in (f"{sign}{identity}" if identity is not None else "", title) if part)


def quoted(text: str) -> tuple[str, ...]:
    """The first QUOTED characters of a text as a quotation."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    start = text if len(text) <= QUOTED else text[: end_of(text, QUOTED)] + "…"
    return tuple(f"> {line}".rstrip() for line in start.split("\n")) if start else ()


def ran(name: str, branch: str, state: str) -> str:
    """What a pipeline, a workflow or a check has come to."""
    where = f" on {branch}" if branch else ""
    return f"{name}{where}: {one_line(state.replace('_', ' '), 60) or 'unknown'} {MARKS.get(state, '')}".rstrip()
