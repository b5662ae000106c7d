"""Slack's markup (mrkdwn) as text."""

from __future__ import annotations

import re

MARKUP = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
ENTITY = re.compile(r"&(amp|lt|gt);")
CHARACTERS = {"amp": "&", "lt": "<", "gt": ">"}
BROADCASTS = ("channel", "here", "everyone")


def slack_text(text: str) -> str:
    """The text as Slack shows it: links, mentions, and then the three escaped characters."""
    return unescaped(MARKUP.sub(_shown, text))


def unescaped(text: str) -> str:
    """The text with `&`, `<` and `>` as themselves."""
    return ENTITY.sub(lambda found: CHARACTERS[found[1]], text)


def link(url: str, label: str) -> str:
    """A link: its label and where it leads to."""
    shown = url.removeprefix("mailto:")
    return f"{label} ({shown})" if label and label != shown else shown


def _shown(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target.startswith(("@", "#")):
        return target[0] + (label.removeprefix(target[0]) or target[1:])
    if target.startswith("!"):
        return _command(target[1:], label)
    return link(target, label) if ":" in target or label else found[0]


def _command(command: str, label: str) -> str:
    """Everybody of a channel, a group, a time, and what may come."""
    name, _, rest = command.partition("^")
    if name in BROADCASTS:
        return f"@{name}"
    if name == "subteam":
        return "@" + (label.removeprefix("@") or rest)
    return label or f"@{name}"
