"""Cause and remedy of an error, in a header field of our own, where the peer's body has no place for them and clients compare it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FIELD = "Error-Detail"
MAX_WORD = 40  # characters that are compared, which takes long
MAX_DETAIL = 500  # characters; it may repeat what the client has sent


def detail_field(text: str) -> dict[str, str]:
    """The header field that says `text`, in printable ASCII; none for no text."""
    shown = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    return {FIELD: "".join(c if c.isprintable() else "?" for c in shown[:MAX_DETAIL])} if shown else {}


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`; did you mean 'x'?`, if one of `words` is near; else nothing."""
    close = difflib.get_close_matches(word[:MAX_WORD], list(words), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
