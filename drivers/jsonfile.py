"""The JSON driver: `jsonfile:FOLDER`. The tree of the flat files in a form that people and `jq` read."""

from __future__ import annotations

from pathlib import Path

from drivers.files.driver import FileDriver
from drivers.files.jsonformat import JSONFormat


class JSONFile(FileDriver):
    """Storage in a folder of JSON files; see `docs/drivers.md`."""

    def __init__(self, rest: str, base: Path) -> None:
        """`rest` is the folder, below `base` if relative; it is made by the first write."""
        super().__init__("jsonfile", rest, base, JSONFormat())
