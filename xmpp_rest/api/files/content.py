"""The content of a file, as it is sent."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.http.body import FilePart
from xmpp_rest.threads.tasks import offload

PIECE = 256 << 10  # bytes that are read at once


class StoredContent(FilePart):
    """A stretch of a stored file, which is read by a thread that may wait for the disk."""

    def blocks(self) -> Iterator[bytes]:
        at, end = self.start, self.start + self.length
        while at < end and (block := self.read(at, min(PIECE, end - at))):
            at += len(block)
            yield block

    def read(self, at: int, size: int) -> bytes:
        return offload(lambda: FilePart.read(self, at, size))
