"""Seals passwords on their way from one machine to another, which leads through the database: nothing is learnt by listening there.

Encrypt, then authenticate: a keyed SHAKE256 (FIPS 202) as a stream that is never used twice, and HMAC-SHA256 over what was encrypted and
what it is for, so that who writes into the database cannot have one account's password sent to another one's server. The
keys come from the secret of the link, which the database does not have, and from one that the configuration does not have. Between the
processes of one machine nothing is sealed: their socket is the user's own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from functools import cached_property
from typing import Protocol

NAME = "calls"  # of the key in the storage
NONCE = 16  # bytes
CODE = 32  # bytes of the HMAC


class BadSeal(Exception):
    """This was not sealed with the same keys, or for something else, or it was changed on its way."""


class Seal(Protocol):
    """What passwords are sealed with."""

    def close(self, text: str, purpose: str) -> str:
        """The text as it may be carried; `purpose`: what alone it can be opened for. Raises StorageError."""

    def open(self, sealed: str, purpose: str) -> str:
        """The text again. Raises BadSeal, StorageError."""


class NoSeal:
    """Text as it is."""

    def close(self, text: str, purpose: str) -> str:
        return text

    def open(self, sealed: str, purpose: str) -> str:
        return sealed


class SealKeys(Protocol):
    """What those have in common who can open the same seals; `SharedKeys` are that."""

    def get(self, name: str) -> bytes:
        """The key of this name. Raises StorageError."""


class OneKey:
    """A key that is in memory."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def get(self, name: str) -> bytes:
        return self._key


class KeyedSeal:
    """Seals for those who have the same secret, and the same keys. Safe to be used by several threads."""

    def __init__(self, keys: SealKeys, secret: str) -> None:
        self._shared = keys
        self._secret = secret.encode("utf-8", "surrogatepass")

    @cached_property
    def _keys(self) -> tuple[bytes, bytes]:
        """That of the stream, and that of the code."""
        both = hmac.digest(self._shared.get(NAME), self._secret, "sha256")
        return hmac.digest(both, b"stream", "sha256"), hmac.digest(both, b"code", "sha256")

    def close(self, text: str, purpose: str) -> str:
        nonce, plain = secrets.token_bytes(NONCE), text.encode("utf-8", "surrogatepass")
        sealed = nonce + self._crypt(nonce, plain)
        return base64.b64encode(sealed + self._code(sealed, purpose)).decode()

    def open(self, sealed: str, purpose: str) -> str:
        try:
            data = base64.b64decode(sealed, validate=True)
        except (binascii.Error, ValueError) as e:
            raise BadSeal from e
        sealed_bytes, code = data[:-CODE], data[-CODE:]
        if len(data) < NONCE + CODE or not hmac.compare_digest(code, self._code(sealed_bytes, purpose)):
            raise BadSeal
        return self._crypt(sealed_bytes[:NONCE], sealed_bytes[NONCE:]).decode("utf-8", "surrogatepass")

    def _crypt(self, nonce: bytes, data: bytes) -> bytes:
        stream = hashlib.shake_256(self._keys[0] + nonce).digest(len(data))
        both = int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")  # a hundred times as fast as byte by byte
        return both.to_bytes(len(data), "big")

    def _code(self, sealed: bytes, purpose: str) -> bytes:
        of_purpose = hmac.digest(self._keys[1], purpose.encode("utf-8", "surrogatepass"), "sha256")
        return hmac.digest(of_purpose, sealed, "sha256")
