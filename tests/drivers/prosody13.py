"""What Prosody 13 does with a list and its index, for tests of what it sees after our writes. Facts: docs/drivers.md."""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = 7767640


def index_of(path: Path) -> Path:
    return path.with_suffix(".lidx")


def build_index(path: Path) -> None:
    """As its `list_open` does where there is none: an item begins at every line that starts with `item`."""
    data = path.read_bytes()
    starts = [0]
    for i, sign in enumerate(data):
        if sign == ord("\n") and data.startswith(b"item", i + 1):
            starts.append(i + 1)
    index_of(path).write_bytes(struct.pack(f"{len(starts) + 1}N", MAGIC, *starts[1:], len(data)))


def items(path: Path) -> list[bytes]:
    """The items that its `find` sees: by the index, which it trusts without a look at the list."""
    if not path.exists():
        return []
    if not index_of(path).exists():
        build_index(path)
    data = path.read_bytes()
    index = index_of(path).read_bytes()
    _, *ends = struct.unpack(f"{len(index) // 8}N", index)
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    seen = []
    for piece in pieces:
        if not piece.startswith(b"item") or not piece.rstrip().endswith(b");"):
            break  # no Lua: nil ends every iteration
        seen.append(piece[piece.rfind(b"item(") :])
    return seen


def append(path: Path, record: bytes) -> None:
    """As its `list_append`: the list first, then the index, where there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    start = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        file.write(record)
    if start == 0:
        index_of(path).write_bytes(struct.pack("2N", MAGIC, len(record)))
    elif index_of(path).exists():
        with index_of(path).open("ab") as file:
            file.write(struct.pack("N", start + len(record)))


def record(key: str, when: float, body: str) -> bytes:
    """An archive item as 13 writes it."""
    stamp = f"2026-11-29T12:26:50.{int(when % 1 * 1000000):06d}Z"
    return (
        f'item({{\n\t{{\n\t\t"{body}";\n\t\t["name"] = "body";\n\t\t["attr"] = {{}};\n\t}};\n\t["name"] = "message";\n'
        f'\t["attr"] = {{\n\t\t["stamp"] = "{stamp}";\n\t}};\n\t["key"] = "{key}";\n\t["when"] = {when!r};\n\t["with"] = "r@x";\n}});\n'
    ).encode()
