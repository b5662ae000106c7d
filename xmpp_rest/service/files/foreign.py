"""Files that go to the upload service of a server, as the gateway has none of its own (files §5)."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar
from xml.etree.ElementTree import Element

from xmpp_rest.config.file_tables import FileSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import UPLOAD
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.callbacks.deadline_connections import Endpoint
from xmpp_rest.service.callbacks.deadline_socket import Addresses
from xmpp_rest.service.callbacks.http_client import target_of
from xmpp_rest.service.files.foreign_service import ForeignSlot, FoundService, slot_in, slot_request
from xmpp_rest.service.files.http_exchange import HttpExchange, HttpFailed
from xmpp_rest.service.files.names import clean_name, media_type_of
from xmpp_rest.service.files.refused import FileRefused, disk_full, too_large
from xmpp_rest.service.files.uploads import IncomingFile, Offered
from xmpp_rest.threads.apart import Apart
from xmpp_rest.threads.tasks import offload
from xmpp_rest.threads.waits import Wait

T = TypeVar("T")
PIECE = 256 << 10  # bytes
FULL = (errno.ENOSPC, errno.EDQUOT)
UPLOADING = 16  # files that one process sends at once
PROGRESS = 60.0  # seconds without any, after which a PUT is given up
SLOT_SECONDS = 30.0
_HTTP = re.compile(r"https?://[!-~]{1,8000}", re.IGNORECASE)  # it becomes a header field, and a text that clients compare
LATER = 60  # seconds after which a service that is full is asked again, if it does not say when


class UploadServices(Protocol):
    """Knows the services of servers. `actor`: who uploads."""

    def find(self, actor: JID, /) -> FoundService | None:
        """The service; None: there is none. Raises FileRefused, GatewayError."""

    def missing(self, actor: JID, /) -> str:
        """What is told where there is none."""

    def remedy(self, actor: JID, /) -> str:
        """What helps where it does not let the actor upload."""

    def addresses(self, actor: JID, target: Endpoint, /) -> Addresses:
        """Where to connect to, for a URL of a slot. Raises FileRefused, OSError, ValueError."""

    def last(self, size: int, /) -> float | None:
        """Until when a file of this size has to be there (monotonic); None: as long as there is progress."""

    def note(self, reason: str | None, /) -> None:
        """Remember why it has refused; None: it has not. Raises GatewayError."""


class SlotAsker(Protocol):
    """Sends for the accounts of one kind; `Sending` says more."""

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]: ...


class ForeignUploads:
    """The service of a server."""

    def __init__(self, settings: FileSettings, folder: Path, service: UploadServices, sending: SlotAsker, at_once: int = UPLOADING) -> None:
        """`folder`: where files wait until their size is known; `at_once`: that are sent."""
        self._settings = settings
        self._folder = folder
        self._service = service
        self._sending = sending
        self.apart = Apart(at_once, "foreign uploads")
        """What sends to the service."""

    def configure(self, settings: FileSettings) -> None:
        """Work by these settings from now on."""
        self._settings = settings

    def require_room(self, owner: JID, size: int) -> None:
        self._found(owner, size)

    def _found(self, owner: JID, size: int) -> FoundService:
        found = self._service.find(owner)
        if found is None:
            raise FileRefused(501, "feature-not-implemented", self._service.missing(owner))
        most = self._settings.max_size if found.max_size is None else min(found.max_size, self._settings.max_size)
        if size > most:
            raise too_large(most)
        return found

    def begin(self, owner: JID, name: str, media_type: str, *, size: int | None, expire: float | None) -> IncomingFile:
        if expire is not None:
            raise FileRefused(422, "not-acceptable", "expire: how long the server's upload service keeps a file cannot be asked for")
        found = self._found(owner, size or 0)
        most = self._settings.max_size if found.max_size is None else min(found.max_size, self._settings.max_size)
        spool = on_disk(self._spool)
        return _ForeignFile(self, owner, found.address, most, spool, name, media_type)

    def _spool(self) -> BinaryIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder, buffering=0)

    def slot(self, actor: JID, service: JID, name: str, size: int, media_type: str) -> ForeignSlot:
        """Ask for a slot. Raises FileRefused."""
        try:
            answer, _ = self._sending.ask(slot_request(actor, service, name, size, media_type), Wait(SLOT_SECONDS))
        except GatewayError as e:
            if e.name == "iq-timeout":
                raise FileRefused(504, "remote-server-timeout", f"The upload service {service} does not answer") from e
            raise FileRefused(e.row.status, e.row.condition, e.text, 5 if e.row.status == 503 else None) from e
        slot = slot_in(answer) if answer.get("type") == "result" else None
        if slot is None:
            raise self._refused(answer, service, actor)
        self._note(None)
        return slot

    def addresses(self, actor: JID, target: Endpoint) -> Addresses:
        """Where to connect to, for a URL of a slot. Raises FileRefused, OSError, ValueError."""
        return self._service.addresses(actor, target)

    def last(self, size: int) -> float | None:
        """Until when a file of this size has to be there (monotonic); None: as long as there is progress."""
        return self._service.last(size)

    def _note(self, reason: str | None) -> None:
        with suppress(GatewayError):  # the leader is told the next time
            self._service.note(reason)

    def _refused(self, answer: Element, service: JID, actor: JID) -> FileRefused:
        if answer.get("type") != "error":
            return FileRefused(502, "undefined-condition", f"The upload service {service} has given no slot")
        error = condition_of(answer)
        said = f"The upload service {service} has refused: {error.condition}" + (f" ({error.text[:200]})" if error.text else "")
        self._note(said)
        if error.condition in ("forbidden", "not-allowed"):
            return FileRefused(403, error.condition, f"{said}. {self._service.remedy(actor)}")
        if error.condition == "not-acceptable" and (most := _bound(answer)) is not None:
            return FileRefused(413, "not-acceptable", f"A file has at most {most} bytes at {service}", max_size=most)
        if error.condition == "resource-constraint":
            return FileRefused(429, error.condition, said, _retry(answer))
        if error.condition == "remote-server-timeout":
            return FileRefused(504, error.condition, said)
        return FileRefused(502, error.condition, said)


class _ForeignFile:
    """A file that waits in a temporary one, as its size has to be known first."""

    def __init__(self, uploads: ForeignUploads, owner: JID, service: JID, most: int, spool: BinaryIO, name: str, media_type: str) -> None:
        self._uploads = uploads
        self._owner = owner
        self._service = service
        self._most = most
        self._spool = spool
        self._name = clean_name(name)
        self._media_type = media_type_of(media_type, self._name)
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def describe(self, name: str, media_type: str, expire: float | None) -> None:
        self._name = clean_name(name)
        self._media_type = media_type_of(media_type, self._name)
        if expire is not None:
            raise FileRefused(422, "not-acceptable", "expire: how long the server's upload service keeps a file cannot be asked for")

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._most:
            raise too_large(self._most)
        on_disk(lambda: self._append(data))

    def _append(self, data: bytes) -> None:
        self._hash.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._spool.write(rest) :]

    def offer(self) -> Offered:
        slot = self._uploads.slot(self._owner.bare, self._service, self._name, self.size, self._media_type)
        for url in (slot.put, slot.get):
            if not _HTTP.fullmatch(url):
                raise FileRefused(502, "undefined-condition", f"The slot of {self._service} has a URL that is not one of HTTP")
        self._uploads.apart.run(lambda: self._put(slot))
        self.abort()
        return Offered(slot.get, self._name, self.size, self._media_type, self.sha256)

    def _put(self, slot: ForeignSlot) -> None:
        try:
            status = self._sent(slot)
        except HttpFailed as e:
            raise FileRefused(502, "remote-server-not-found", f"The upload to {self._service} has failed: {e}") from e
        except (OSError, ValueError) as e:
            raise FileRefused(502, "remote-server-not-found", f"The upload to {self._service} has failed: its URL cannot be reached") from e
        if not 200 <= status < 300:
            raise FileRefused(502, "undefined-condition", f"The upload to {self._service} has failed: its answer was {status}")

    def _sent(self, slot: ForeignSlot) -> int:
        target = target_of(slot.put)
        addresses = self._uploads.addresses(self._owner, target)
        fields = {"Content-Type": self._media_type, "Content-Length": str(self.size), **dict(slot.fields)}
        with HttpExchange(target, addresses, PROGRESS, self._uploads.last(self.size)) as exchange:
            exchange.send_head("PUT", fields)
            self._spool.seek(0, os.SEEK_SET)
            try:
                while piece := self._spool.read(PIECE):
                    exchange.send(piece)
            except HttpFailed as e:
                if e.timed_out:
                    raise
                return exchange.answer("PUT").status  # it may have been refused before all was sent
            return exchange.answer("PUT").status

    def abort(self) -> None:
        self._spool.close()


def on_disk(work: Callable[[], T]) -> T:
    """What `work` returns, done by a thread that may wait for the disk. Raises FileRefused."""
    try:
        return offload(work)
    except OSError as e:
        if e.errno in FULL:
            raise disk_full() from e
        raise FileRefused(503, "internal-server-error", "The file could not be kept for its upload", 60) from e


def _bound(answer: Element) -> int | None:
    text = answer.findtext(f"error/{{{UPLOAD}}}file-too-large/{{{UPLOAD}}}max-file-size")
    text = "" if text is None else text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _retry(answer: Element) -> int:
    """Seconds until the service is to be asked again."""
    retry = answer.find(f"error/{{{UPLOAD}}}retry")
    try:
        at = datetime.fromisoformat("" if retry is None else retry.get("stamp", ""))
    except ValueError:
        return LATER
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(1, math.ceil(at.timestamp() - time.time())), 86400)
