"""How much one rendering of a template may use: counted as it goes, without signals and threads."""

from __future__ import annotations

import sys
import time
from typing import Any

from xmpp_rest.service.hooks.sandbox.errors import TemplateFailed

SECONDS = 1.0
LOOPS = 100_000
"""Steps of all loops together."""
STRING = 1 << 20
"""Characters of one string."""
OUTPUT = 20_000
"""Characters of the message."""
WORK = 250_000
"""Values that filters and comparisons look at, each kilobyte of a string as one more."""
KEPT = 16 << 20
"""Bytes of all that is made while it renders, thrown away or not."""
BITS = 16_384
"""Bits of a whole number."""
CALLS = 20
"""Macros and recursive loops that are in each other."""
DEPTH = 100
"""Levels of a value in a value. A payload has 64."""


class Budget:
    """What one rendering has used. Each method raises TemplateFailed where that is too much."""

    __slots__ = ("_deadline", "_kept", "_loops", "_work", "calls")

    def __init__(self) -> None:
        self._deadline = time.monotonic() + SECONDS
        self._loops = self._work = self._kept = self.calls = 0

    def loop(self) -> None:
        """Counts one step of a loop."""
        self._loops += 1
        if self._loops > LOOPS:
            raise TemplateFailed(f"more than {LOOPS} steps of loops")
        self._in_time()

    def work(self, amount: int = 1) -> None:
        """Counts work."""
        self._work += amount
        if self._work > WORK:
            raise TemplateFailed("too much work")
        self._in_time()

    def _in_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise TemplateFailed(f"longer than {SECONDS:g} s")

    def string(self, length: int) -> None:
        """Checks the length of a string before it is made."""
        self.work(length >> 10)
        if length > STRING:
            raise TemplateFailed(f"a string of more than {STRING} characters")

    def bytes(self, amount: int) -> None:
        """Counts memory before it is used."""
        self._kept += amount
        if self._kept > KEPT:
            raise TemplateFailed(f"more than {KEPT >> 20} MB of values")

    def took(self, value: Any) -> Any:
        """The value, counted as newly made."""
        if isinstance(value, str):
            self.string(len(value))
            self.bytes(sys.getsizeof(value))
        elif isinstance(value, int):
            self.whole(value)
            self.bytes(sys.getsizeof(value))
        elif isinstance(value, list | tuple | dict):
            self.bytes(sys.getsizeof(value))
        return value

    def whole(self, value: int) -> None:
        """Checks the size of a whole number."""
        if value.bit_length() > BITS:
            raise TemplateFailed("a number of too many digits")

    def called(self) -> None:
        """Counts a call into the template; `returned` follows."""
        self.work()
        self.calls += 1
        if self.calls > CALLS:
            raise TemplateFailed(f"more than {CALLS} calls in each other")

    def returned(self) -> None:
        """Ends a call."""
        self.calls -= 1


class Unbounded(Budget):
    """For the shipped templates, which say what they are given, however long."""

    __slots__ = ()

    def loop(self) -> None:
        """Counts nothing."""

    def work(self, amount: int = 1) -> None:
        """Counts nothing."""

    def string(self, length: int) -> None:
        """Counts nothing."""

    def bytes(self, amount: int) -> None:
        """Counts nothing."""
