"""Where files that are sent go: to the store of the gateway, or to the upload service of a server (files §2, §5)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.upload import FileUpload


class Offered(NamedTuple):
    """A file that can be had at `url`. `sha256`: in hex. `id`, `expires` (Unix time): of the own store alone."""

    url: str
    name: str
    size: int
    media_type: str
    sha256: str
    id: str | None = None
    expires: float | None = None


class IncomingFile(Protocol):
    """A file that comes in pieces. All methods raise FileRefused."""

    @property
    def size(self) -> int:
        """Bytes so far."""

    @property
    def sha256(self) -> str:
        """The hash of these, in hex."""

    def describe(self, name: str, media_type: str, expire: float | None) -> None:
        """Say what it is, as the last word."""

    def write(self, data: bytes) -> None:
        """Append this: at most 256 KiB."""

    def offer(self) -> Offered:
        """Have it be there for those who know its URL."""

    def abort(self) -> None:
        """Keep nothing of it, unless it is offered. May be called again."""


class Uploads(Protocol):
    """One place for files. All methods raise FileRefused."""

    def require_room(self, owner: JID, size: int) -> None:
        """Refuse what is too large, or has no room now. `size`: 0 if nobody knows."""

    def begin(self, owner: JID, name: str, media_type: str, *, size: int | None, expire: float | None) -> IncomingFile:
        """Begin to take a file."""


class OwnUploads:
    """The store of the gateway."""

    def __init__(self, files: FileService) -> None:
        self._files = files

    def require_room(self, owner: JID, size: int) -> None:
        self._files.require_room(owner, size)

    def begin(self, owner: JID, name: str, media_type: str, *, size: int | None, expire: float | None) -> IncomingFile:
        return _OwnFile(self._files, self._files.begin(owner, name, media_type, size=size, expire=expire))


class _OwnFile:
    def __init__(self, files: FileService, upload: FileUpload) -> None:
        self._files = files
        self._upload = upload

    @property
    def size(self) -> int:
        return self._upload.size

    @property
    def sha256(self) -> str:
        return self._upload.sha256

    def describe(self, name: str, media_type: str, expire: float | None) -> None:
        self._upload.describe(name, media_type, expire=expire)

    def write(self, data: bytes) -> None:
        self._upload.write(data)

    def offer(self) -> Offered:
        stored = self._upload.commit()
        url = self._files.url_of(stored.id, stored.name)
        return Offered(url, stored.name, stored.size, stored.media_type, stored.sha256, stored.id, stored.expires)

    def abort(self) -> None:
        self._upload.abort()
