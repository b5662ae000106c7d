"""The Lua format: the files of Prosody's datamanager and mod_storage_internal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from drivers import ArchiveItem, Table, Value
from drivers.files.format import Damaged, Format, Head, Record, UnreadableFile
from drivers.lua import LuaError, parse_file, parse_item, serialise
from drivers.stanzas import stanza_table, stanza_text
from drivers.values import number

START = b"item("
MERGED = 100
"""Pieces that are tried as one record, for files written by hand."""
# members of the item itself have one tab before them, those of its attributes two; strings have no line breaks
_LINES = tuple(b"\n" + line + b" = " for line in (b'\t["key"]', b'\t["when"]', b'\t["with"]', b'\t\t["stamp"]'))
_WHEN = re.compile(rb"\d+(?:\.\d+)?")
_FRACTION = re.compile(rb"""^\t\["when"\] = \d+\.""", re.MULTILINE)
_TIME = re.compile(r"([0-9T:-]+)(\.\d+)?(?:Z|([+-]\d\d:?\d\d))?")
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LuaFormat(Format):
    """`.dat` and `.list`; lists and archives share a suffix, and an archive item is recognised by its members."""

    keyval = "dat"
    list = "list"
    archive = "list"
    indexed = True
    boundary = b"\n" + START

    def table(self, data: bytes) -> Table | None:
        value = _parse(parse_file, data)
        if value is not None and not isinstance(value, (dict, list)):
            raise UnreadableFile("the file returns no table")
        return value or None

    def table_bytes(self, table: Table) -> bytes:
        return f"return {serialise(table)};\n".encode("ascii")

    def item(self, record: bytes) -> Value:
        return _item(record)

    def item_bytes(self, item: Value) -> bytes:
        return f"item({serialise(item)});\n".encode("ascii")

    def head(self, record: Record, position: int) -> Head | None:
        head = _searched(record.data) if record.plain else None
        return head or _head(_item(record.data), position)

    def archive_item(self, record: bytes, position: int) -> ArchiveItem:
        table = _item(record)
        head = _head(table, position)
        if head is None:
            raise UnreadableFile(f"item {position} is not a stanza")
        # COMPAT: very old items have a second stamp
        attr = {key: value for key, value in table["attr"].items() if key not in ("stamp", "stamp_legacy")}
        return ArchiveItem(head.id, head.when, head.with_, stanza_text(table | {"attr": attr}))

    def archive_bytes(self, item: ArchiveItem, last: bytes) -> bytes:
        table = stanza_table(item.stanza)
        table["attr"]["stamp"] = _stamp(item.when)
        # COMPAT Prosody 0.12: its code fails on a fraction in `when`, and ignores the one in `stamp`. Prosody 13 writes fractions,
        # and uses a binary search: after one of those, a time truncated to seconds would go backwards
        when = item.when if _FRACTION.search(last) else math.floor(item.when)
        return self.item_bytes(table | {"key": item.id, "when": number(when), "with": item.with_})

    def finished(self, line: bytes) -> bool:
        return line == b"});\n" or (line.startswith(START) and line.endswith(b");\n"))

    def records(self, pieces: Iterable[Record]) -> Iterator[Record]:
        pending: Record | None = None
        merged = 0
        for piece in pieces:
            if pending is None and _is_record(piece.data):
                yield piece._replace(plain=True)
                continue
            pending = piece if pending is None else Record(pending.offset, pending.data + piece.data)
            whole, pending = _whole_records(pending)
            yield from whole
            merged = 0 if pending is None or whole else merged + 1
            if pending is not None and merged > MERGED:
                raise Damaged(pending.offset, "an unfinished item is followed by others")
        if pending is not None:
            _check_last(pending)


def _is_record(data: bytes) -> bool:
    """Whether this is certainly one record in the server's form."""
    ends = data.endswith(b"\n});\n") or (data.endswith(b");\n") and data.count(b"\n") == 1)
    if not ends or not data.startswith(START):
        return False
    # anything that could hide a line break in a string, or an end
    return not (b"[[" in data or b"[=" in data or b"--" in data or b"\\\n" in data or b"\\z" in data)


def _whole_records(pending: Record) -> tuple[list[Record], Record | None]:
    """Records by the full grammar of the language, and the rest that is not complete yet."""
    found, start = [], 0
    try:
        while item := parse_item(pending.data, start):
            end = item[1] + (pending.data[item[1] : item[1] + 1] == b"\n")
            found.append(Record(pending.offset + start, pending.data[start:end]))
            start = end
    except LuaError:
        return found, Record(pending.offset + start, pending.data[start:])
    return found, None


def _check_last(pending: Record) -> None:
    """Raise Damaged unless the rest of a file is one incomplete record."""
    data, start = pending.data, 0
    while (start := data.find(START, start + 1)) >= 0:
        try:
            item = parse_item(data, start)
        except LuaError:
            continue
        # a string of an incomplete record has no line break
        if item is not None and data[item[1] : item[1] + 1] in (b"\n", b""):
            raise Damaged(pending.offset, "an unfinished item is followed by others")


def _searched(record: bytes) -> Head | None:
    """The head from four lines; None if they are not in the simplest form."""
    key, when, with_, stamp = (_behind(record, start) for start in _LINES)
    if not key or not with_ or not _WHEN.fullmatch(when) or b"\\" in key or b"\\" in with_:
        return None
    return Head(key[1:-1].decode("ascii"), _exact(float(when), stamp[1:-1].decode("ascii")), with_[1:-1].decode("ascii"))


def _behind(record: bytes, start: bytes) -> bytes:
    found = record.find(start)
    return record[found + len(start) : record.find(b";\n", found + 1)] if found >= 0 else b""


def _parse(parser: Any, data: bytes) -> Value:
    try:
        return parser(data)
    except LuaError as e:
        raise UnreadableFile(str(e)) from e


def _item(record: bytes) -> Any:
    item = _parse(lambda data: parse_item(data, 0), record)
    return {} if item is None or item[0] is None else item[0]


def _head(table: Any, position: int) -> Head | None:
    """The head from the members of an archive item; without a key its position is the id, without a time its stamp is used."""
    attr = table.get("attr") if isinstance(table, dict) else None
    if not isinstance(attr, dict) or not isinstance(table.get("name"), str):
        return None
    when = table.get("when")
    stamp = str(attr.get("stamp", ""))
    if isinstance(when, bool) or not isinstance(when, (int, float)):
        when = _seconds(stamp)
    if when is None:
        return None
    return Head(str(table.get("key", position)), _exact(when, stamp), str(table.get("with", "")))


def _stamp(when: float) -> str:
    """XEP-0082 date and time, with as many digits as the time has."""
    whole = math.floor(when)
    digits = f"{when - whole:.7f}"[1:].rstrip("0.") if when != whole else ""
    return f"{_EPOCH + timedelta(seconds=whole):%Y-%m-%dT%H:%M:%S}{digits}Z"


def _seconds(stamp: str) -> float | None:
    match = _TIME.fullmatch(stamp)
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{match[1]}{match[3] or '+00:00'}")
    except ValueError:
        return None
    whole = (moment - _EPOCH) // _SECOND
    # reading all digits at once is exact; after a negative whole part they would count downwards
    return float(f"{whole}{match[2] or ''}") if whole >= 0 else whole + float(match[2] or 0)


def _exact(when: float, stamp: str) -> float:
    """The time, with the fraction that its stamp has, if it is the same second."""
    if "." not in stamp:
        return float(when)
    exact = _seconds(stamp)
    return exact if exact is not None and math.floor(exact) == when else float(when)
