"""A file that is being uploaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from xmpp_rest.service.files.refused import FileRefused, too_large
from xmpp_rest.service.files.store import FileStore, Upload
from xmpp_rest.service.files.values import NewFile, Slot, StoredFile

T = TypeVar("T")
STEP = 16 << 20  # bytes that are set aside at once for an upload whose length nobody knows


class Storing(Protocol):
    """What takes uploads; `FileService` is it."""

    store: FileStore

    def description(self, name: str, media_type: str, expire: float | None, /) -> tuple[str, str, float | None]:
        """Name, media type and end of a file, by what was given."""

    def reserve(self, new: NewFile, size: int, /) -> None:
        """Set so many bytes aside. Raises FileRefused."""

    def on_disk(self, work: Callable[[], T], /) -> T:
        """What `work` returns. Raises FileRefused."""

    def stored(self, file: StoredFile, /) -> None:
        """It is there."""

    def aborted(self, new: NewFile, /) -> None:
        """Nothing of it is kept."""

    def slot_left(self, slot: Slot, /) -> None:
        """Nothing is kept of an upload by this slot, which stays open."""


class FileUpload:
    """A file that is being uploaded: `write` pieces, then `commit`, or `abort`. As a context manager it is aborted unless committed.

    Each piece is written by another thread, where that frees this one. All methods raise FileRefused.
    """

    def __init__(self, files: Storing, upload: Upload, max_size: int, reserved: int, slot: Slot | None = None) -> None:
        """`reserved`: how many bytes are set aside. `slot`: by which it comes; it stays open until there is a file."""
        self._files = files
        self._upload = upload
        self._max_size = max_size
        self._reserved = reserved
        self._slot = slot
        self._is_over = False

    def __enter__(self) -> FileUpload:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._upload.size

    @property
    def sha256(self) -> str:
        """The hash of these, in hex."""
        return self._upload.sha256

    def describe(self, name: str, media_type: str, *, expire: float | None = None) -> None:
        """Say what it is, in place of what `begin` was told: some of it may come behind the content."""
        self._upload.describe(*self._files.description(name, media_type, expire))

    def write(self, data: bytes) -> None:
        """Append this: at most 256 KiB, so that nothing waits for long."""
        size = self._upload.size + len(data)
        if size > self._max_size:
            raise too_large(self._max_size)
        if size > self._reserved:
            self._reserved = self._reserve(size)
        self._files.on_disk(lambda: self._upload.write(data))

    def _reserve(self, size: int) -> int:
        """Set so many bytes aside, and some more if there is room for them; how many that are."""
        ahead = min(size + STEP, self._max_size)
        try:
            self._files.reserve(self._upload.new, ahead)
        except FileRefused:
            if ahead == size:
                raise
            self._files.reserve(self._upload.new, size)
            return size
        return ahead

    def commit(self) -> StoredFile:
        """Have it be there for everybody, safe on disk."""
        stored = self._files.on_disk(lambda: self._files.store.commit(self._upload))
        self._is_over = True
        self._files.stored(stored)
        return stored

    def abort(self) -> None:
        """Keep nothing of it, unless it was committed."""
        if not self._is_over:
            self._is_over = True
            self._files.on_disk(self._upload.abort)
            if self._slot is None:
                self._files.aborted(self._upload.new)
            else:
                self._files.slot_left(self._slot)
