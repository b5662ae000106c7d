"""A bounded search of names by a regular expression.

Python's `re` tries all ways to match, holds the interpreter lock meanwhile, and cannot be stopped: `(a+)+b` would block a process.
So the number of steps that an expression may need in the worst case is estimated before it is used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

MAX_TRIES = 20_000_000  # for one name, by the estimate, which is well above the real number: some tenths of a second in the worst case
MAX_SECONDS = 1.0  # of processor time for all names
TOKEN = re.compile(
    r"""(?P<literal>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])          # an escape or a set of characters: nothing in it repeats
      | (?P<open>\((?:\?(?:P?<\w+>|<[=!]|[a-zA-Z-]*[:=!>)])?)?)
      | (?P<close>\))
      | (?P<many>[*+][?+]?|\{\d*,?\d*\}[?+]?)
      | (?P<either>[|?])""",
    re.VERBOSE | re.DOTALL,
)


def search(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that match the expression. Raises re.error, also for an expression that could take too long for these names."""
    expression = re.compile(pattern)
    repeats, choices = _ways(pattern)
    longest = max(map(len, names), default=0)
    if (longest + 1) ** (repeats + 1) << choices > MAX_TRIES:
        raise re.error("too many ways to match; use fewer repetitions", pattern)
    found, until = [], time.thread_time() + MAX_SECONDS
    for name in names:
        if expression.search(name):
            found.append(name)
        if time.thread_time() > until:
            raise re.error("it takes too long to look for it in the names of all rooms; use fewer repetitions", pattern)
    return found


def _ways(pattern: str) -> tuple[int, int]:
    """The number of repetitions, and of alternatives. Raises re.error if a repeated group can itself match in several ways."""
    repeats = choices = 0
    opened: list[int] = []  # the count at the start of each open group
    ended, inside = -1, 0  # the end of the last group, and the count within it
    for token in TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token[0]
        if kind == "open" and not text.endswith(")"):
            opened.append(repeats + choices)
        elif kind == "close" and opened:
            ended, inside = token.end(), repeats + choices - opened.pop()
        elif kind == "many":
            if inside and ended == token.start():
                raise re.error("a group repeats that has repetitions or alternatives", pattern, token.start())
            repeats += "*" in text or "," in text or text.startswith("+")
        elif kind == "either":
            choices += 1
    return repeats, choices
