"""The flat file driver: `flatfile:FOLDER`. Prosody's internal storage, readable and writable by a Prosody beside it."""

from __future__ import annotations

from pathlib import Path

from drivers.files.driver import FileDriver
from drivers.files.luaformat import LuaFormat


class FlatFile(FileDriver):
    """Storage in Prosody's data folder; see `docs/drivers.md`."""

    def __init__(self, rest: str, base: Path) -> None:
        """`rest` is the data folder, below `base` if relative; it is made by the first write."""
        super().__init__("flatfile", rest, base, LuaFormat())
