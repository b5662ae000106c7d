"""Passwords as SCRAM records in Prosody's form, and their check (data-api §5.1; RFC 5802 §3)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections import OrderedDict
from functools import partial
from threading import Lock
from typing import NamedTuple

from xmpp_rest.auth.record import SALT, SALT_BYTES, Record, identity_of, salt_of
from xmpp_rest.protocol.prep import PrepError, saslprep
from xmpp_rest.threads.tasks import offload

HASHES = {"SHA-1": "sha1", "SHA-256": "sha256"}
_HASH_BY_KEY_LENGTH = {40: "sha1", 64: "sha256", 128: "sha512"}  # hex digits; the record does not name its hash
MAX_ITERATIONS = 100_000  # of a record that another program wrote: about 50 ms; its owner may have written it to make checks expensive


class Keys(NamedTuple):
    """What SCRAM keeps of a password, in lower-case hex."""

    stored_key: str
    server_key: str


def derive(password: str, salt: bytes, iterations: int, digest: str) -> Keys:
    """The keys of a prepared password."""
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", digest)
    stored = hashlib.new(digest, client_key).hexdigest()
    return Keys(stored, hmac.digest(salted, b"Server Key", digest).hex())


class Passwords:
    """Makes and checks account records.

    The first check of a password derives its keys: about 5 ms, for which a task gives its thread to others. Later ones compare a keyed
    digest kept in memory with the record they were derived for, so a changed record takes effect at once, whichever program changed it.
    """

    REMEMBERED = 10_000  # checked passwords, about 300 bytes each

    def __init__(self, hash_name: str, iterations: int) -> None:
        self.configure(hash_name, iterations)
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = Lock()
        self._decoy = self._unopenable()

    def configure(self, hash_name: str, iterations: int) -> None:
        """How new records are made from now on; those that are there stay good."""
        self._digest = HASHES[hash_name]
        self._iterations = iterations
        self._most = max(MAX_ITERATIONS, iterations)

    def record(self, password: str, old: Record | None = None) -> Record:
        """A new record for `password` with a new salt; other members of `old` are kept, its iterations too if more. Raises PrepError."""
        prepared = saslprep(password)
        salt = str(uuid.uuid4())
        kept = {k: v for k, v in (old or {}).items() if k not in ("password", SALT_BYTES)}
        before = kept.get("iteration_count")
        iterations = max(self._iterations, min(before, self._most) if isinstance(before, int) else 0)
        keys = derive(prepared, salt.encode(), iterations, self._digest)
        return kept | {SALT: salt, "iteration_count": iterations, **keys._asdict()}

    def _unopenable(self) -> Record:
        """A record that no password opens, so that an unknown account takes as long as a known one: its keys are derived from nothing."""
        size = hashlib.new(self._digest).digest_size
        keys = Keys(secrets.token_hex(size), secrets.token_hex(size))
        return {SALT: str(uuid.uuid4()), "iteration_count": self._iterations, **keys._asdict()}

    def check(self, record: Record | None, password: str) -> bool:
        """Whether `password` opens the account of `record`. Without a record, False after the same time."""
        try:
            prepared = saslprep(password)
        except PrepError:
            return False
        if record and isinstance(plain := record.get("password"), str) and plain:
            return self._same_text(plain, prepared)
        return self._check_hashed(self._decoy if record is None else record, prepared) and record is not None

    @staticmethod
    def _same_text(plain: str, prepared: str) -> bool:
        try:
            return hmac.compare_digest(saslprep(plain).encode(), prepared.encode())
        except PrepError:
            return False

    def _check_hashed(self, record: Record, prepared: str) -> bool:
        get = record.get
        stored, server, salt, count = identity = get("stored_key"), get("server_key"), salt_of(record), get("iteration_count")
        if not (isinstance(stored, str) and isinstance(server, str) and salt is not None and isinstance(count, int | float)):
            return False
        digest = _HASH_BY_KEY_LENGTH.get(len(stored))
        if digest is None or not 1 <= count <= self._most:
            return False
        proof = hashlib.blake2b(prepared.encode(), key=self._key).digest()
        known = self._good.get(identity)
        if known is not None and hmac.compare_digest(known, proof):
            return True
        keys = offload(partial(derive, prepared, salt, int(count), digest))
        good = _same(keys.stored_key, stored) & _same(keys.server_key, server)
        if good:
            self._remember(identity, proof)
        return good

    def digest(self, record: Record | None, password: str) -> bytes:
        """A digest of a password and its record, with a key of this process only, so that it reveals nothing."""
        compared = identity_of(record) if record else ""
        return hashlib.blake2b(f"{compared}\0{password}".encode("utf-8", "surrogatepass"), key=self._key, digest_size=12).digest()

    def forget(self) -> None:
        """Check every password again from now on."""
        with self._lock:
            self._good.clear()

    def _remember(self, identity: tuple[object, ...], proof: bytes) -> None:
        with self._lock:
            self._good[identity] = proof
            if len(self._good) > self.REMEMBERED:
                self._good.popitem(last=False)


def _same(derived: str, stored: str) -> bool:
    return hmac.compare_digest(derived.encode(), stored.lower().encode())
