"""The key that the tokens of slots are signed with: of one data folder, or of all machines of a gateway (many-machines §9)."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from drivers import StorageError
from xmpp_rest.auth.shared_keys import BYTES, SharedKeys

KEY = "files.key"
"""The name of the key's file in the data folder."""
NAME = "files"
"""The name of the key in the storage."""


class FolderKey:
    """The key in a data folder, for all processes there. Methods raise OSError."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / KEY

    def get(self) -> bytes:
        """The key, which is made if need be."""
        while (key := self.existing()) is None:
            self._make()
        return key

    def existing(self) -> bytes | None:
        """The key, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            if len(key := self._path.read_bytes()) == BYTES:
                return key
        return None

    def _make(self) -> None:
        """One whole key for all processes."""
        part = self._path.with_name(f"{KEY}.{secrets.token_hex(4)}.part")
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(secrets.token_bytes(BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(part, self._path)  # one process is first, and all take its key
            except FileExistsError:
                if self._path.stat().st_size != BYTES:
                    part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)


class StoredKey:
    """The key of all machines; where one joins that had a key of its own, and is the first, that one: its open slots stay good."""

    def __init__(self, keys: SharedKeys, own: FolderKey) -> None:
        self._keys = keys
        self._own = own

    def get(self) -> bytes:
        """The key. Raises OSError."""
        try:
            return self._keys.get(NAME, self._own.existing)
        except StorageError as e:
            raise OSError(f"the key of slots is not known: {e}") from e
