"""The resource of sessions: the same after each restart, and another one for each gateway (accounts-anywhere §4.5)."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from drivers import StorageError
from xmpp_rest.auth.shared_keys import SharedKeys
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.sessions")
FILE = "installation.key"
NAME = "resources"  # of the key in the storage
KEY_BYTES = 32
DIGITS = 8  # hex digits that tell accounts and gateways apart


class SessionResources:
    """Names the resource of each account. The key of the installation is read, or made, when the first one is named."""

    def __init__(self, folder: Path, prefix: Callable[[], str], shared: SharedKeys | None = None) -> None:
        """`folder`: of the gateway's data; `prefix`: with which resources begin. `shared`: where several machines are one installation."""
        self._path = folder / FILE
        self._prefix = prefix
        self._shared = shared
        self._key = b""
        self._for_now = secrets.token_bytes(KEY_BYTES)  # while that cannot be read
        self._lock = OrderLock()  # while it is read or made

    def of(self, account: JID) -> str:
        """The resource of a bare address."""
        if not self._key:
            with self._lock:
                self._key = self._key or self._read()
        return self._named(self._key or self._for_now, account)

    def _named(self, key: bytes, account: JID) -> str:
        return f"{self._prefix()}-{hmac.digest(key, str(account).encode(), 'sha256').hex()[:DIGITS]}"

    def _read(self) -> bytes:
        """b"": it is to be read again when the next one is named."""
        if self._shared is not None:
            try:
                return self._shared.get(NAME, self._first)
            except StorageError as e:
                log.error("the key of resources cannot be read, so a session has another resource for now: %s", e)
                return b""
        try:
            return self._kept() or self._made()
        except OSError as e:  # the account may log in nevertheless
            said = "%s can be neither read nor written, so sessions have other resources after a restart: %s"
            log.error(said, self._path.name, e.strerror)
            return secrets.token_bytes(KEY_BYTES)

    def _first(self) -> bytes | None:
        """That of this machine, if it was alone before: its sessions keep their resources."""
        try:
            return self._kept() or None
        except OSError:
            return None

    def _kept(self) -> bytes:
        try:
            return bytes.fromhex(self._path.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return b""

    def _made(self) -> bytes:
        """A new key, in a file of the owner's alone."""
        key = secrets.token_bytes(KEY_BYTES)
        beside = self._path.with_name(f"{FILE}.{os.getpid()}")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(key.hex())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        return key
