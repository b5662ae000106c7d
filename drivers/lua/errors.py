"""The error for unreadable Lua text, with its position."""

from __future__ import annotations

from drivers import BadValue


class LuaError(BadValue):
    """The text is not a readable literal; `position` is the offset of the error in bytes."""

    def __init__(self, sentence: str, source: bytes, position: int) -> None:
        line = source.count(b"\n", 0, position) + 1
        super().__init__(f"line {line}: {sentence}")
        self.position = position
