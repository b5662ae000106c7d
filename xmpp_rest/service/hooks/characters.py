"""The characters of a message, and its length."""

from __future__ import annotations

import re
import unicodedata

FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 does not allow, once line ends are line feeds."""
JOINER = "\u200d"
MODIFIERS = range(0x1F3FB, 0x1F400)
"""Tones of skin, which belong to the emoji in front."""


def clean(text: str) -> str:
    """A text that may stand in XML: line ends are line feeds, forbidden characters U+FFFD, without white space at both ends."""
    return FORBIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def one_line(text: str, limit: int = 300) -> str:
    """A text on one line, cut off after `limit` characters."""
    return cut(" ".join(text[: limit * 4].split()), limit)


def cut(text: str, limit: int) -> str:
    """The text with at most `limit` characters; `…` at its end shows that it was longer."""
    if len(text) <= limit:
        return text
    return text[: end_of(text, max(limit - 1, 0))].rstrip() + "…"


def end_of(text: str, limit: int) -> int:
    """The last place up to `limit` where the text can be cut without parting what is one character to the eye."""
    end = limit
    while 0 < end < len(text) and limit - end < 32 and _belongs(text, end):
        end -= 1
    return end if end > 0 and not _belongs(text, end) else limit


def _belongs(text: str, at: int) -> bool:
    """Whether the character there belongs to the one in front of it."""
    if at >= len(text):
        return False
    char = text[at]
    return (
        unicodedata.combining(char) != 0
        or unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char == JOINER
        or text[at - 1] == JOINER
        or ord(char) in MODIFIERS
    )


def shorten(text: str, limit: int) -> tuple[str, bool]:
    """A message with at most `limit` characters of the text, and a line that counts the others; whether any were cut off."""
    if len(text) <= limit:
        return text, False
    end = end_of(text, limit)
    return f"{text[:end]}…\n({len(text) - end} more characters)", True
