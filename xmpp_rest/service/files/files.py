"""Files: what the APIs and the upload service use of the store, its quotas and its slots."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable
from typing import Any

from xmpp_rest.config.file_check import default_url
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.access import FileAccess
from xmpp_rest.service.files.names import clean_name, is_inline, media_type_of, url_name
from xmpp_rest.service.files.quotas import OWN, FileQuotas, Full
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.store import FileStore, Opened, Taken, Upload, new_id
from xmpp_rest.service.files.values import NewFile, StoredFile
from xmpp_rest.threads.tasks import offload

log = logging.getLogger("xmpp_rest.files")

STEP = 16 << 20  # bytes that are set aside at once for an upload whose length nobody knows
DISK = (errno.ENOSPC, errno.EDQUOT)
MOST_LISTED = 1000


class FileUpload:
    """A file that is being uploaded: `write` pieces, then `commit`, or `abort`. As a context manager it is aborted unless committed.

    Each piece is written by another thread, where that frees this one. All methods raise FileRefused.
    """

    def __init__(self, files: FileService, upload: Upload, max_size: int, reserved: int) -> None:
        self._files = files
        self._upload = upload
        self._max_size = max_size
        self._reserved = reserved
        self._is_over = False

    def __enter__(self) -> FileUpload:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._upload.size

    def write(self, data: bytes) -> None:
        """Append this: at most 256 KiB, so that nothing waits for long."""
        size = self._upload.size + len(data)
        if size > self._max_size:
            raise too_large(self._max_size)
        if size > self._reserved:
            self._reserved = min(size + STEP, self._max_size)
            self._files.reserve(self._upload.new, self._reserved)
        self._files.on_disk(lambda: self._upload.write(data))

    def commit(self) -> StoredFile:
        """Have it be there for everybody, safe on disk."""
        stored: StoredFile = self._files.on_disk(lambda: self._files.store.commit(self._upload))
        self._is_over = True
        self._files.stored(stored)
        return stored

    def abort(self) -> None:
        """Keep nothing of it, unless it was committed."""
        if not self._is_over:
            self._is_over = True
            self._upload.abort()
            self._files.aborted(self._upload.new)


class FileService:
    """The files of this gateway. Safe to be used by several threads, in every process; all methods raise FileRefused."""

    def __init__(
        self, settings: Settings, store: FileStore, quotas: FileQuotas, access: FileAccess, remote: Remote, incidents: Incidents
    ) -> None:
        self._settings = settings
        self.store = store
        self.quotas = quotas
        self.access = access
        self._remote = remote
        self._incidents = incidents

    def configure(self, settings: Settings) -> None:
        """Work by these settings from now on."""
        self._settings = settings
        self.access.configure(settings.files.access)
        self.quotas.configure(settings.files)

    def url_of(self, file_id: str, name: str) -> str:
        """Where the file is found."""
        base = (self._settings.server.public_url or default_url(self._settings)).rstrip("/")
        return f"{base}/files/{file_id}/{url_name(name)}"

    def is_inline(self, media_type: str) -> bool:
        """Whether browsers show files of this type."""
        return is_inline(media_type, self._settings.files.inline)

    # taking a file

    def require_access(self, address: JID) -> None:
        """Refuse whom `[files] access` does not let in."""
        if not self.access.may(address):
            raise FileRefused(403, "forbidden", f"{address.bare} may not upload files here: [files] access says who may")

    def require_room(self, owner: JID, size: int) -> None:
        """Refuse what is too large, or has no room now. `size`: 0 if nobody knows."""
        if size > self._settings.files.max_size:
            raise too_large(self._settings.files.max_size)
        if (full := self.quotas.room(owner.bare, size)) is not None:
            raise refused_for(full)
        self._require_disk(size)

    def begin(self, owner: JID, name: str, media_type: str = "", *, size: int | None = None, expire: float | None = None) -> FileUpload:
        """Begin to store a file; room for `size` bytes is set aside. `expire`: seconds until it goes, at most those of the settings."""
        settings = self._settings.files
        if (size or 0) > settings.max_size:
            raise too_large(settings.max_size)
        name = clean_name(name)
        new = NewFile(new_id(), owner.bare, name, media_type_of(media_type, name), self._end(expire))
        self._require_disk(size or 0)
        self.reserve(new, size or 0)
        try:
            upload = self.on_disk(lambda: self.store.begin(new))
        except BaseException:
            self.aborted(new)
            raise
        return FileUpload(self, upload, settings.max_size, size or 0)

    def _end(self, expire: float | None) -> float | None:
        """When a file that is stored now goes."""
        most = self._settings.files.expire
        seconds = min(expire, most) if expire is not None and most else expire or most
        return time.time() + seconds if seconds else None

    def _require_disk(self, size: int) -> None:
        found = next(folder for folder in (self.store.folder, *self.store.folder.parents) if folder.exists())
        if shutil.disk_usage(found).free < size:
            raise disk_full()

    def reserve(self, new: NewFile, size: int) -> None:
        """Set so many bytes aside for an upload."""
        if (full := self.quotas.reserve(new.id, new.owner, size, self._remote.group.id)) is not None:
            raise refused_for(full)

    def on_disk(self, work: Callable[[], Any]) -> Any:
        """What `work` returns, done by a thread that may wait for the disk."""
        try:
            return offload(work)
        except Taken:
            raise FileRefused(409, "conflict", "This file is there already, or is being uploaded") from None
        except OSError as e:
            if e.errno in DISK:
                raise disk_full() from e
            self._incidents.report(log, "files", "a file could not be stored: %s", e)
            raise FileRefused(503, "internal-server-error", "The file could not be stored; the log says why", 60) from e

    def stored(self, file: StoredFile) -> None:
        """It counts as stored now. It is there also if the leader cannot be told."""
        self._tell(lambda: self.quotas.stored(file))

    def aborted(self, new: NewFile) -> None:
        """Nothing of it counts any more."""
        self._tell(lambda: self.quotas.gone(new.id))

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except (GatewayError, OSError) as e:  # it is read again with the next pruning
            self._incidents.report(log, "files-count", "what is stored could not be counted: %s", e)

    # what is there

    def get(self, file_id: str) -> StoredFile | None:
        """What is known of a file; None: there is none."""
        found: StoredFile | None = self.on_disk(lambda: self.store.get(file_id))
        return found

    def open(self, file_id: str) -> Opened | None:
        """A file with its content; None: there is none."""
        found: Opened | None = self.on_disk(lambda: self.store.open(file_id))
        return found

    def of(self, owner: JID) -> list[StoredFile]:
        """The files of this one, the newest first, at most MOST_LISTED."""
        ids = self.quotas.ids(owner.bare)
        found: list[StoredFile] = self.on_disk(lambda: [file for file in map(self.store.get, ids) if file is not None])
        return sorted((f for f in found if f.owner == owner.bare), key=lambda file: file.created, reverse=True)[:MOST_LISTED]

    def used(self, owner: JID) -> int:
        """The bytes that this one has stored, open slots included."""
        return self.quotas.used_by(owner.bare)

    def delete(self, file_id: str) -> bool:
        """Remove a file at once; whether there was one."""
        was_there: bool = self.on_disk(lambda: self.store.delete(file_id))
        if was_there:
            self._tell(lambda: self.quotas.gone(file_id))
        return was_there


def too_large(max_size: int) -> FileRefused:
    """The file is larger than one may be."""
    return FileRefused(413, "policy-violation", f"A file has at most {max_size} bytes here", max_size=max_size)


def disk_full() -> FileRefused:
    """There is no room on the disk."""
    return FileRefused(507, "resource-constraint", "There is no room for the file on the disk")


def refused_for(full: Full) -> FileRefused:
    """What a sender is told of a bound."""
    if full.bound == OWN:
        detail = f"{full.used} of the {full.quota} bytes that one uploader may have stored are taken"
        return FileRefused(429, "resource-constraint", detail, full.retry_after, used=full.used, quota=full.quota)
    return FileRefused(507, "resource-constraint", "As many bytes are stored here as may be in all")
