"""Files: what the APIs and the upload service use of the store, its quotas and its slots."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from xmpp_rest.config.file_check import default_url
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import RETRY_AFTER, GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.access import FileAccess
from xmpp_rest.service.files.names import clean_name, is_inline, media_type_of, url_name
from xmpp_rest.service.files.quotas import FileQuotas, Full, Stored
from xmpp_rest.service.files.refused import FileRefused, disk_full, refused_for, too_large
from xmpp_rest.service.files.slots import OpenSlots, SlotTokens
from xmpp_rest.service.files.store import FileStore, Opened, Taken, new_id
from xmpp_rest.service.files.upload import FileUpload
from xmpp_rest.service.files.values import NewFile, Slot, SlotClaims, StoredFile
from xmpp_rest.threads.tasks import offload

log = logging.getLogger("xmpp_rest.files")

T = TypeVar("T")
DISK = (errno.ENOSPC, errno.EDQUOT)
MOST_LISTED = 1000


class FileService:
    """The files of this gateway. Safe to be used by several threads, in every process; all methods raise FileRefused."""

    def __init__(
        self,
        settings: Settings,
        store: FileStore,
        quotas: FileQuotas,
        access: FileAccess,
        slots: OpenSlots,
        tokens: SlotTokens,
        remote: Remote,
        incidents: Incidents,
    ) -> None:
        self._settings = settings
        self.store = store
        self.quotas = quotas
        self.access = access
        self._slots = slots
        self._tokens = tokens
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

    @property
    def max_size(self) -> int:
        """How many bytes a file may have."""
        return self._settings.files.max_size

    @property
    def quota_total(self) -> int:
        """How many bytes may be stored in all; 0: there is no limit."""
        return self._settings.files.quota_total

    @property
    def counted(self) -> Stored:
        """The files that are known in this process, the leader, without waiting."""
        return self.quotas.counted

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
        self._require(lambda: self.quotas.room(owner.bare, size))
        self._require_disk(size)

    def begin(self, owner: JID, name: str, media_type: str = "", *, size: int | None = None, expire: float | None = None) -> FileUpload:
        """Begin to store a file; room for `size` bytes is set aside. `expire`: seconds until it goes, at most those of the settings."""
        settings = self._settings.files
        if (size or 0) > settings.max_size:
            raise too_large(settings.max_size)
        new = NewFile(new_id(), owner.bare, *self.description(name, media_type, expire))
        self._require_disk(size or 0)
        try:
            self.reserve(new, size or 0)
            upload = self.on_disk(lambda: self.store.begin(new))
        except BaseException:
            self.aborted(new)
            raise
        return FileUpload(self, upload, settings.max_size, size or 0)

    def description(self, name: str, media_type: str, expire: float | None) -> tuple[str, str, float | None]:
        """Name, media type and end (Unix time) of a file that is stored now, by what was given."""
        name = clean_name(name)
        return name, media_type_of(media_type, name), self._end(expire)

    # slots

    def give_slot(self, owner: JID, name: str, size: int, media_type: str) -> Slot:
        """A slot for one upload; its bytes are set aside. `media_type`: "" if it is not announced."""
        settings = self._settings.files
        if size > settings.max_size:
            raise too_large(settings.max_size)
        name = clean_name(name)
        kind = media_type_of(media_type, name) if media_type else ""
        slot = Slot(new_id(), owner.bare, name, size, kind, time.time() + settings.slot_seconds)
        self._require_disk(size)
        try:
            self._require(lambda: self.quotas.take_slot(slot))
            self.on_disk(lambda: self._slots.add(slot))
        except BaseException:
            self._tell(lambda: self.quotas.gone(slot.id))
            raise
        return slot

    def token_of(self, slot: Slot) -> str:
        """What lets in the upload of a slot."""
        return self.on_disk(lambda: self._tokens.sign(slot))

    def claims_of(self, token: str) -> SlotClaims | None:
        """What the token of a slot says, used or not; None: it is not one of this gateway."""
        return self.on_disk(lambda: self._tokens.read(token))

    def is_open(self, file_id: str) -> bool:
        """Whether there is a slot of this id that was not used yet."""
        return self.on_disk(lambda: self._slots.get(file_id)) is not None

    def begin_slot(self, file_id: str, media_type: str) -> FileUpload:
        """Begin to store what a slot is for. `media_type`: of the upload, which counts if none was announced."""
        slot = self.on_disk(lambda: self._slots.get(file_id))
        if slot is None:
            raise FileRefused(409, "conflict", "The slot was used")
        kind = slot.media_type or media_type_of(media_type, slot.name)
        new = NewFile(slot.id, slot.owner, slot.name, kind, self._end(None))
        self._require_disk(slot.size)
        upload = FileUpload(self, self.on_disk(lambda: self.store.begin(new)), slot.size, slot.size, slot)
        try:
            self.quotas.upload_begins(slot, self._remote.group.id)
        except BaseException:
            upload.abort()
            raise
        return upload

    def _end(self, expire: float | None) -> float | None:
        """When a file that is stored now goes."""
        most = self._settings.files.expire
        seconds = min(expire, most) if expire is not None and most else expire or most
        return time.time() + seconds if seconds else None

    def _require_disk(self, size: int) -> None:
        with self._refusing():
            found = next(folder for folder in (self.store.folder, *self.store.folder.parents) if folder.exists())
            if shutil.disk_usage(found).free < size:
                raise disk_full()

    def _require(self, ask: Callable[[], Full | None]) -> None:
        """Refuse if the answer is that there is no room."""
        with self._refusing():
            full = ask()
        if full is not None:
            raise refused_for(full)

    def reserve(self, new: NewFile, size: int) -> None:
        """Set so many bytes aside for an upload."""
        self._require(lambda: self.quotas.reserve(new.id, new.owner, size, self._remote.group.id))

    def on_disk(self, work: Callable[[], T]) -> T:
        """What `work` returns, done by a thread that may wait for the disk."""
        with self._refusing():
            return offload(work)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Refuse what the disk does not take."""
        try:
            yield
        except Taken:
            raise FileRefused(409, "conflict", "This file is there already, or is being uploaded") from None
        except OSError as e:
            if e.errno in DISK:
                raise disk_full() from e
            self._incidents.report(log, "files", "the folder of files fails: %s", e)
            raise FileRefused(503, "internal-server-error", "The storage of files failed; the log says why", RETRY_AFTER) from e

    def stored(self, file: StoredFile) -> None:
        """It counts as stored now, and its slot is used. It is there also if the leader cannot be told."""
        self._tell(lambda: self._slots.close(file.id))
        if self._tell(lambda: self.quotas.stored(file)) is False:
            self.on_disk(lambda: self.store.delete(file.id))
            raise FileRefused(403, "forbidden", f"{file.owner} was removed meanwhile; nothing is kept of the file")

    def aborted(self, new: NewFile) -> None:
        """Nothing of it counts any more."""
        self._tell(lambda: self.quotas.gone(new.id))

    def slot_left(self, slot: Slot) -> None:
        """Nothing is kept of an upload by this slot, which stays open."""
        self._tell(lambda: self.quotas.upload_failed(slot))

    def _tell(self, tell: Callable[[], T]) -> T | None:
        try:
            return tell()
        except (GatewayError, OSError) as e:  # it is read again with the next pruning
            self._incidents.report(log, "files-count", "what is stored could not be counted: %s", e)
            return None

    # what is there

    def get(self, file_id: str) -> StoredFile | None:
        """What is known of a file; None: there is none."""
        return self.on_disk(lambda: self.store.get(file_id))

    def open(self, file_id: str) -> Opened | None:
        """A file with its content; None: there is none."""
        return self.on_disk(lambda: self.store.open(file_id))

    def of(self, owner: JID) -> list[StoredFile]:
        """The files of this one, the newest first, at most MOST_LISTED."""
        with self._refusing():
            ids = self.quotas.ids(owner.bare)
        found = self.on_disk(lambda: [file for file in map(self.store.get, ids) if file is not None])
        return sorted((f for f in found if f.owner == owner.bare), key=lambda file: file.created, reverse=True)[:MOST_LISTED]

    def used(self, owner: JID) -> int:
        """The bytes that this one has stored, open slots included."""
        with self._refusing():
            return self.quotas.used_by(owner.bare)

    def delete(self, file_id: str) -> bool:
        """Remove a file at once; whether there was one."""
        was_there = self.on_disk(lambda: self.store.delete(file_id))
        if was_there:
            self._tell(lambda: self.quotas.gone(file_id))
        return was_there

    def remove_all(self, owner: JID) -> None:
        """Remove the files and slots of this one, who is removed. Raises GatewayError alone."""
        try:
            with self._refusing():
                under_way, ids = self.quotas.disown(owner.bare), self.quotas.ids(owner.bare)
            for file_id in under_way:
                self.on_disk(partial(self._slots.close, file_id))
            for file_id in ids:
                self.on_disk(partial(self._remove, file_id, owner.bare))
                self._tell(partial(self.quotas.gone, file_id))
        except FileRefused as e:
            raise GatewayError("storage-failed", e.detail) from e

    def _remove(self, file_id: str, owner: JID) -> None:
        self._slots.close(file_id)
        stored = self.store.get(file_id)
        if stored is not None and stored.owner == owner:
            self.store.delete(file_id)

    def figures(self) -> dict[str, Any]:
        """How the store is, for `/status`. Raises GatewayError."""
        files, reason = self._settings.files, None
        try:
            with self._refusing():
                count, used = self.quotas.total()
        except FileRefused as e:
            count, used, reason = 0, 0, e.detail
        return {"own": bool(files.domain), "service": files.domain or files.service or None, "reason": reason, "count": count, "used": used}
