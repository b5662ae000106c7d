"""The JSON format: tables as indented JSON, lists and archives as JSON Lines, one item per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from drivers import ArchiveItem, Table, Value
from drivers.files.format import Damaged, Format, Head, Record, UnreadableFile
from drivers.jsontext import json_text

MEMBERS: dict[str, type | tuple[type, ...]] = {"id": str, "when": (int, float), "with": str, "stanza": str}


class JSONFormat(Format):
    """`.json`, `.list.jsonl`, `.archive.jsonl`."""

    keyval = "json"
    list = "list.jsonl"
    archive = "archive.jsonl"
    boundary = b"\n"

    def table(self, data: bytes) -> Table | None:
        value = _value(data)
        if not isinstance(value, (dict, list)):
            raise UnreadableFile("the file contains neither an object nor an array")
        return value or None

    def table_bytes(self, table: Table) -> bytes:
        return f"{json_text(table, indent=2)}\n".encode()

    def item(self, record: bytes) -> Value:
        return _value(record)

    def item_bytes(self, item: Value) -> bytes:
        return f"{json_text(item)}\n".encode()

    def head(self, record: Record, position: int) -> Head | None:
        item = _archive_item(record.data)
        return Head(item["id"], item["when"], item["with"])

    def archive_item(self, record: bytes, position: int) -> ArchiveItem:
        item = _archive_item(record)
        return ArchiveItem(item["id"], item["when"], item["with"], item["stanza"])

    def archive_bytes(self, item: ArchiveItem, last: bytes) -> bytes:
        return self.item_bytes({"id": item.id, "when": item.when, "with": item.with_, "stanza": item.stanza})

    def finished(self, line: bytes) -> bool:
        return line.endswith(b"\n") and not line.startswith(b"\0")

    def records(self, pieces: Iterable[Record]) -> Iterator[Record]:
        unfinished: Record | None = None
        for piece in pieces:
            if not piece.data.strip():
                continue
            if unfinished is not None:
                raise Damaged(unfinished.offset, "a line is not JSON")
            if (piece.data.endswith(b"\n") and not piece.data.startswith(b"\0")) or _is_whole(piece.data):
                yield piece
            else:
                unfinished = piece


def _is_whole(line: bytes) -> bool:
    """Whether a last line without a line break is otherwise complete; a truncated number would be a number too."""
    try:
        return not isinstance(json.loads(line), (int, float))
    except (ValueError, RecursionError):
        return False


def _value(data: bytes) -> Value:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as e:
        raise UnreadableFile(f"no JSON: {e}") from e


def _archive_item(record: bytes) -> dict[str, Any]:
    item = _value(record)
    if not isinstance(item, dict) or not all(isinstance(item.get(name), kind) for name, kind in MEMBERS.items()):
        raise UnreadableFile("an item has no member id, when, with or stanza, or one of the wrong type")
    return item | {"when": float(item["when"])}
