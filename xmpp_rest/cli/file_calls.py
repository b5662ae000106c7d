"""What the leader does for `xmpp-rest send --file` on its own machine: it takes the file in pieces, as it may not be able to read it."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any, NamedTuple

from xmpp_rest.api.files.answers import told
from xmpp_rest.api.rest.refused import failure_for
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.messages import FileRecipient, FileWords
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.shared_file import SharedFile
from xmpp_rest.service.files.uploads import IncomingFile
from xmpp_rest.threads.waits import Wait

MOST = 20  # files that may come at once
IDLE = 600.0  # seconds after which nobody sends any more

Reply = dict[str, Any]
"""`refused`: status, condition and detail, where that is so."""


class FileToSend(NamedTuple):
    """A file that is announced. `kind`: of the messages, "" for what fits; `size` in bytes."""

    sender: JID
    to: list[JID]
    kind: str
    name: str
    size: int


class _Coming(NamedTuple):
    announced: FileToSend
    recipients: list[FileRecipient]
    file: IncomingFile
    last: list[float]  # when something came, monotonic


class FileCalls:
    """Calls of the command line."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._coming: dict[str, _Coming] = {}

    @property
    def _remote(self) -> Remote:
        return self._gateway.parts.remote

    @on_leader(of_node=True)
    def begin_file(self, file: FileToSend) -> Reply:
        """Have the rooms entered, and begin to take the file: its `name` for the other calls. Raises GatewayError."""
        self._drop_idle()
        if len(self._coming) >= MOST:
            raise GatewayError("waits-full", "As many files are being sent as may; try again later")
        sending = self._gateway.parts.file_sending
        try:
            sending.uploads.require_room(file.sender, file.size)
            recipients = sending.rooms.recipients(file.sender, file.to, file.kind, "")
            if recipients and all(one.refused is not None for one in recipients) and (first := recipients[0].refused) is not None:
                error = failure_for(first)
                return _refused(error.status, error.condition, error.text)
            incoming = sending.uploads.begin(file.sender, file.name, "", size=file.size, expire=None)
        except FileRefused as e:
            return _refused(e.status, e.condition, e.detail)
        name = secrets.token_hex(8)
        self._coming[name] = _Coming(file, list(recipients), incoming, [time.monotonic()])
        return {"name": name}

    @on_leader(of_node=True)
    def add_to_file(self, name: str, piece: str) -> Reply:
        """Take the next piece, in base64. Raises GatewayError."""
        coming = self._named(name)
        coming.last[0] = time.monotonic()
        try:
            coming.file.write(base64.b64decode(piece))
        except FileRefused as e:
            self.drop_file(name)
            return _refused(e.status, e.condition, e.detail)
        return {}

    @on_leader(of_node=True)
    def send_file(self, name: str, caption: str, seconds: float, wait: Wait) -> Reply:
        """All has come: store and send it. `messages`: what became of each recipient. `wait`: for all of it. Raises GatewayError."""
        coming = self._named(name)
        parts = self._gateway.parts
        try:
            offered = coming.file.offer()
            shared = SharedFile(*offered[:5], parts.files.is_inline(offered.media_type))
            words = FileWords(caption, "", Wait(seconds) if seconds else None)
            results = parts.file_sending.messages.send(coming.announced.sender, coming.recipients, shared, words)
        except FileRefused as e:
            return _refused(e.status, e.condition, e.detail)
        finally:
            self.drop_file(name)
        return {"url": offered.url, "messages": [told(result) for result in results]}

    @on_leader(of_node=True)
    def drop_file(self, name: str) -> None:
        """Nothing follows."""
        if (coming := self._coming.pop(name, None)) is not None:
            coming.file.abort()

    def _named(self, name: str) -> _Coming:
        try:
            return self._coming[name]
        except KeyError:
            raise GatewayError("client-gone", "The file was not sent within its time") from None

    def _drop_idle(self) -> None:
        before = time.monotonic() - IDLE
        for name in [name for name, coming in self._coming.items() if coming.last[0] < before]:
            self.drop_file(name)


def _refused(status: int, condition: str, detail: str) -> Reply:
    return {"refused": {"code": status, "condition": condition, "text": detail}}
