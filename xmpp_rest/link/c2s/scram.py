"""The client of SCRAM without channel binding (RFC 5802, RFC 7677): sans I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.failures import IMPOSTOR, NO_LOGIN, STALE_KEYS, WRONG_PASSWORD, LoginFailed

HASHES = {"SCRAM-SHA-512": "sha512", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
"""Mechanism → hash, the best one first. Without -PLUS: Python's `ssl` has no channel binding for TLS 1.3 (accounts-anywhere §4.2)."""
FEWEST, MOST = 4096, 1_000_000  # iterations: RFC 5802 §4; what a server may make the gateway compute
LONGEST_SALT = 1024  # bytes: it is kept as long as the session
NONCE = 24  # random bytes
GS2 = "n,,"  # no channel binding, no other identity
_BINDING = base64.b64encode(GS2.encode()).decode()
_COUNT = re.compile("[1-9][0-9]{0,8}")
_OF_CREDENTIALS = ("invalid-proof", "unknown-user", "invalid-username-encoding")  # RFC 5802 §7, server-error-value


class Challenge(NamedTuple):
    """The server's first message."""

    nonce: str
    salt: bytes
    iterations: int


class ScramClient:
    """One exchange: `first`, then `respond` to the server's first message, then `check` its last one. All raise LoginFailed."""

    def __init__(self, domain: str, mechanism: str, user: str, password: str | None, keys: ScramKeys | None, nonce: str = "") -> None:
        """`user` and `password` are prepared (SASLprep); `keys` replace the password where they fit. `nonce`: "" for a new one."""
        self._domain = domain
        self._mechanism = mechanism
        self._hash = HASHES[mechanism]
        self._user = user.replace("=", "=3D").replace(",", "=2C")
        self._password = password
        self._given = keys
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(NONCE)).decode()
        self._signed = b""  # what the server has to sign
        self.keys: ScramKeys | None = None
        """From `respond` on: those that the proof was made with."""

    def _failed(self, name: str, detail: str) -> LoginFailed:
        return LoginFailed(name, self._domain, f"{self._mechanism}: {detail}")

    @property
    def _bare(self) -> str:
        return f"n={self._user},r={self._nonce}"

    def first(self) -> bytes:
        """The client's first message."""
        return f"{GS2}{self._bare}".encode()

    def respond(self, message: bytes) -> bytes:
        """The client's last message, with its proof; to make it may take a second."""
        challenge = self._challenge(message)
        keys = self.keys = self._keys(challenge)
        last = f"c={_BINDING},r={challenge.nonce}"
        self._signed = b",".join((self._bare.encode(), message, last.encode()))
        stored_key = hashlib.new(self._hash, keys.client_key).digest()
        signature = hmac.digest(stored_key, self._signed, self._hash)
        proof = bytes(a ^ b for a, b in zip(keys.client_key, signature, strict=True))
        return f"{last},p={base64.b64encode(proof).decode()}".encode()

    def _challenge(self, message: bytes) -> Challenge:
        fields = self._fields(message)
        if "e" in fields:
            raise self._refused(fields["e"])
        if list(fields)[:3] != ["r", "s", "i"]:  # an `m` in front is an extension that must be understood (RFC 5802 §5.1)
            raise self._failed(NO_LOGIN, "the server's first message has not the form of RFC 5802 §7")
        if not fields["r"].startswith(self._nonce) or fields["r"] == self._nonce:
            raise self._failed(IMPOSTOR, "the server's nonce does not extend the client's")
        if not _COUNT.fullmatch(fields["i"]) or not FEWEST <= int(fields["i"]) <= MOST:
            raise self._failed(NO_LOGIN, f"{fields['i'][:20]} iterations, where {FEWEST} to {MOST} may be")
        salt = self._decoded(fields["s"])
        if not 0 < len(salt) <= LONGEST_SALT:
            raise self._failed(NO_LOGIN, f"a salt of {len(salt)} bytes, where 1 to {LONGEST_SALT} may be")
        return Challenge(fields["r"], salt, int(fields["i"]))

    def _keys(self, challenge: Challenge) -> ScramKeys:
        """Those given, if they were made for this challenge; else new ones of the password."""
        given = self._given
        if given and (given.mechanism, given.salt, given.iterations) == (self._mechanism, challenge.salt, challenge.iterations):
            return given
        if self._password is None:
            raise self._failed(STALE_KEYS, "the server has other salt or iterations")
        salted = hashlib.pbkdf2_hmac(self._hash, self._password.encode(), challenge.salt, challenge.iterations)
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        return ScramKeys(self._mechanism, challenge.salt, challenge.iterations, client_key, hmac.digest(salted, b"Server Key", self._hash))

    def check(self, message: bytes) -> None:
        """The server knows the keys too, or LoginFailed is raised."""
        fields = self._fields(message)
        if "e" in fields:
            raise self._refused(fields["e"])
        if self.keys is None:
            raise self._failed(IMPOSTOR, "success without a challenge")
        signature = hmac.digest(self.keys.server_key, self._signed, self._hash)
        if not hmac.compare_digest(self._decoded(fields.get("v", "")), signature):
            raise self._failed(IMPOSTOR, "the server's signature is wrong")

    def _refused(self, error: str) -> LoginFailed:
        return self._failed(WRONG_PASSWORD if error in _OF_CREDENTIALS else NO_LOGIN, f"the server says {error[:100]!r}")

    def _fields(self, message: bytes) -> dict[str, str]:
        """Attributes by their letters, in order."""
        try:
            pairs = [part.split("=", 1) for part in message.decode().split(",")] if message else []
            fields = dict(pairs)
        except ValueError as e:
            raise self._failed(NO_LOGIN, "a message of the server has not the form of RFC 5802 §7") from e
        if len(fields) != len(pairs):
            raise self._failed(NO_LOGIN, "a message of the server says something twice")
        return fields

    def _decoded(self, text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as e:
            raise self._failed(NO_LOGIN, "a message of the server has base64 that is none") from e
