"""The server's side of SASL: SCRAM (RFC 5802) and PLAIN (RFC 4616)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS = 4096


class NotAuthorized(Exception):
    """The password is wrong."""


class FakeSalts:
    """The salts of accounts, which stay until they are `changed`."""

    def __init__(self) -> None:
        self._salts: dict[tuple[str, str], bytes] = {}

    def of(self, user: str, mechanism: str) -> bytes:
        return self._salts.setdefault((user, mechanism), secrets.token_bytes(12))

    def changed(self, user: str) -> None:
        for key in [key for key in self._salts if key[0] == user]:
            del self._salts[key]


class FakeScram:
    """One exchange: `first` gets the client's first message, `final` its second one; each returns the server's."""

    def __init__(self, mechanism: str, accounts: dict[str, str], salts: FakeSalts) -> None:
        self._mechanism = mechanism
        self._hash = HASHES[mechanism]
        self._accounts = accounts
        self._salts = salts
        self._nonce = secrets.token_urlsafe(18)
        self.user = ""

    def first(self, message: str) -> str:
        flag, _, bare = message.split(",", 2)
        assert flag == "n", "the gateway says that it knows no channel binding"
        self._bare = bare
        fields = dict(part.split("=", 1) for part in bare.split(","))
        self.user = fields["n"].replace("=2C", ",").replace("=3D", "=")
        self._salt = self._salts.of(self.user, self._mechanism)
        self._nonce = fields["r"] + self._nonce
        self._first = f"r={self._nonce},s={base64.b64encode(self._salt).decode()},i={ITERATIONS}"
        return self._first

    def final(self, message: str) -> str:
        """Raises NotAuthorized."""
        without, _, proof = message.rpartition(",p=")
        fields = dict(part.split("=", 1) for part in without.split(","))
        if self.user not in self._accounts or fields["r"] != self._nonce or base64.b64decode(fields["c"]) != b"n,,":
            raise NotAuthorized
        salted = hashlib.pbkdf2_hmac(self._hash, self._accounts[self.user].encode(), self._salt, ITERATIONS)
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored = hashlib.new(self._hash, client_key).digest()
        signed = f"{self._bare},{self._first},{without}".encode()
        signature = hmac.digest(stored, signed, self._hash)
        if bytes(a ^ b for a, b in zip(client_key, signature, strict=True)) != base64.b64decode(proof):
            raise NotAuthorized
        return "v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", self._hash), signed, self._hash)).decode()


def plain(message: bytes, accounts: dict[str, str]) -> str:
    """The user of a PLAIN message. Raises NotAuthorized."""
    _, user, password = message.decode().split("\0")
    if accounts.get(user) != password:
        raise NotAuthorized
    return user
