"""Bodies: makes bytes or streams of what a callback returned."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from flask import Response

#: The most that is read of a file at once, in bytes.
BLOCK = 65536

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


class FilePart:
    """A stretch of an open file as an iterable of blocks, which closes the file at the end.

    The file is open from the start: one that is replaced meanwhile goes out as it was, with the length that was told.
    """

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self.file = file
        self.start = start
        self.length = length

    def blocks(self) -> Iterator[bytes]:
        """The bytes, and the file stays open for other parts of it."""
        at, end = self.start, self.start + self.length
        while at < end and (block := self.read(at, min(BLOCK, end - at))):
            at += len(block)
            yield block

    def read(self, at: int, size: int) -> bytes:
        """At most so many bytes of the file, from there on; b"" at its end."""
        self.file.seek(at)
        return self.file.read(size)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self.blocks()
        finally:
            self.close()

    def cut(self, first: int, last: int) -> FilePart:
        """The bytes from ``first`` to ``last``, both counted from the start of this part."""
        return type(self)(self.file, self.start + first, last - first + 1)

    def close(self) -> None:
        self.file.close()


class Segments:
    """Several pieces one after another; ``length`` in bytes, or None when a piece cannot be measured."""

    def __init__(self, pieces: list[Payload]) -> None:
        self.pieces = pieces
        sizes = [size(piece) for piece in pieces]
        self.length = None if None in sizes else sum(filter(None, sizes))

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self.pieces:
                if isinstance(piece, bytes):
                    yield piece
                else:
                    yield from piece.blocks() if isinstance(piece, FilePart) else piece
        finally:
            self.close()

    def close(self) -> None:
        """Release every piece, once: a server closes what it has iterated to the end."""
        pieces, self.pieces = self.pieces, []
        for piece in pieces:
            close(piece)


#: What a body is made of: bytes in hand, or something to iterate once.
Payload = bytes | FilePart | Segments | Iterable[bytes]


def size(payload: object) -> int | None:
    """The length of a body in bytes, or None for a stream of unknown length."""
    if isinstance(payload, bytes):
        return len(payload)
    return payload.length if isinstance(payload, (FilePart, Segments)) else None


def close(payload: object) -> None:
    """Release what a body that will not be sent holds open."""
    release = getattr(payload, "close", None)
    if release is not None:
        release()


def is_json(media_type: str) -> bool:
    """Whether ``media_type``, lower case and without parameters, is JSON (RFC 8259, RFC 6839 §3.1)."""
    return media_type == "application/json" or media_type.endswith("+json")


def dump_json(value: object) -> bytes:
    """``value`` as JSON in UTF-8. Raises TypeError or ValueError for what JSON cannot express."""
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form, but an escaped one is JSON (RFC 8259 §8.2).
        return _ASCII_ENCODER.encode(value).encode("ascii")


def encode(value: object, media_type: str, charset: str | None) -> Payload:
    """The body for what a callback returned, under ``media_type``, with text in ``charset``.

    Raises TypeError for a value that no body can be made of.
    """
    if isinstance(value, str):
        return encode_text(value, media_type, charset)
    if isinstance(value, bytes):
        return value
    if isinstance(value, (dict, list, tuple, int, float)):
        if is_json(media_type):
            return dump_json(value)
        raise TypeError(f"a {type(value).__name__} can be sent as JSON only, and the media type is {media_type!r}")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, Path):
        return open_file(value)
    if isinstance(value, (Iterator, FilePart)):
        return value
    raise TypeError(f"no body can be made of a {type(value).__name__}: give bytes, str, JSON, Path or an iterator")


def encode_text(value: str, media_type: str, charset: str | None) -> bytes:
    """``value`` in the negotiated charset, which only text has; else in UTF-8."""
    if charset is not None and media_type.startswith("text/"):
        return value.encode(charset)
    return value.encode()


def open_file(path: Path) -> Payload:
    """The content of the file, to be read piecewise. Raises OSError when it cannot be opened."""
    file = path.open("rb")
    length = os.fstat(file.fileno()).st_size
    if not length:
        file.close()
        return b""
    return FilePart(file, 0, length)


def fill(response: Response, payload: Payload) -> None:
    """Make ``payload`` the body of ``response``, in place of what was there, with its length if that is known."""
    replaced = response.response
    close(replaced)
    if isinstance(payload, bytes):
        response.set_data(payload)
        return
    response.response = payload
    length = size(payload)
    if length is not None:
        response.headers["Content-Length"] = str(length)
    elif replaced:
        # It was the length of what is gone; without that it is a callback's word for the length of its stream.
        response.headers.remove("Content-Length")
