"""What is wrong with a piece of Lua text, and where?"""

from __future__ import annotations

from drivers import BadValue


class LuaError(BadValue):
    """The text is not a literal that can be read; `position` is the offset in bytes where that shows."""

    def __init__(self, sentence: str, source: bytes, position: int) -> None:
        line = source.count(b"\n", 0, position) + 1
        super().__init__(f"line {line}: {sentence}")
        self.position = position
