"""The content of a file: how it is sent, and how it is received, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from werkzeug.exceptions import ClientDisconnected

from xmpp_rest.http.body import FilePart
from xmpp_rest.threads.tasks import offload

PIECE = 256 << 10  # bytes that are read and written at once


class StoredContent(FilePart):
    """A stretch of a stored file, which is read by a thread that may wait for the disk."""

    def blocks(self) -> Iterator[bytes]:
        at, end = self.start, self.start + self.length
        while at < end and (block := self.read(at, min(PIECE, end - at))):
            at += len(block)
            yield block

    def read(self, at: int, size: int) -> bytes:
        return offload(lambda: FilePart.read(self, at, size))


def received(environ: Mapping[str, Any], length: int) -> Iterator[bytes]:
    """The body of the request, `length` bytes, in pieces. Raises ClientDisconnected, a BadRequest, if it ends early."""
    read = environ["wsgi.input"].read
    left = length
    while left:
        try:
            piece = read(min(PIECE, left))
        except (OSError, ValueError) as e:  # as Werkzeug's own stream does
            raise ClientDisconnected from e
        if not piece:
            raise ClientDisconnected(f"The body ended {left} bytes early; nothing of it is kept")
        left -= len(piece)
        yield piece
