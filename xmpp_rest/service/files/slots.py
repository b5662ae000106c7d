"""Slots: what may be PUT, once (files §4.2). Tokens are signed, so that every process takes them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.service.files.store import ID, make_folder
from xmpp_rest.service.files.values import Slot, SlotClaims

LONGEST = 4096  # characters of a token


class SlotTokens:
    """Signs and reads tokens. The key is made by the process that first needs it."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        """`key` is asked for once. Raises OSError."""
        self._ask = key
        self._key = b""

    def sign(self, slot: Slot) -> str:
        """The token of a slot. Raises OSError."""
        payload = json.dumps(slot.claims, ensure_ascii=False, separators=(",", ":")).encode()
        return f"{_text(payload)}.{_text(self._signature(payload))}"

    def read(self, token: str) -> SlotClaims | None:
        """What a token says; None: it is not one of this gateway. Raises OSError."""
        if len(token) > LONGEST:
            return None
        payload_text, _, signature_text = token.partition(".")
        try:
            payload, signature = _bytes(payload_text), _bytes(signature_text)
        except ValueError:
            return None
        if not hmac.compare_digest(signature, self._signature(payload)):
            return None
        file_id, name, size, media_type, until = json.loads(payload)
        return SlotClaims(str(file_id), str(name), int(size), str(media_type), float(until))

    def _signature(self, payload: bytes) -> bytes:
        self._key = self._key or self._ask()
        return hmac.digest(self._key, payload, "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as e:
        raise ValueError("this is not base64") from e


def _carried(slot: Slot) -> list[Any]:
    return [slot.id, str(slot.owner), slot.name, slot.size, slot.media_type, slot.until]


def _slot(carried: Any) -> Slot:
    """Raises ValueError, TypeError, InvalidJID: this is not a slot."""
    file_id, owner, name, size, media_type, until = carried
    return Slot(str(file_id), parse_jid(owner), str(name), int(size), str(media_type), float(until))


class OpenSlots:
    """The slots that were given and not used yet, a small file each, so that a restart forgets none. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, slot: Slot) -> None:
        """Open it."""
        make_folder(self._folder)
        path = self._folder / slot.id
        part = path.with_name(f"{slot.id}.part")
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(json.dumps(_carried(slot)).encode())
        part.replace(path)

    def get(self, file_id: str) -> Slot | None:
        """The slot of this id; None: none was given, or it was used, or removed."""
        return self._read(file_id) if ID.fullmatch(file_id) else None

    def _read(self, name: str) -> Slot | None:
        try:
            return _slot(json.loads((self._folder / name).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError, InvalidJID):
            return None

    def close(self, file_id: str) -> None:
        """It is used, or over."""
        if ID.fullmatch(file_id):
            (self._folder / file_id).unlink(missing_ok=True)

    def walk(self) -> Iterator[Slot]:
        """Those whose end has not come; the others are closed."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return
        for name in names:
            slot = self._read(name)
            if slot is not None and slot.id == name and slot.until > time.time():
                yield slot
            else:
                with contextlib.suppress(FileNotFoundError):
                    (self._folder / name).unlink()
