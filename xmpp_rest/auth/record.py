"""The record of an account, as Prosody keeps it: its members besides the password, and what a token is bound to (data-api §5.1)."""

from __future__ import annotations

import hashlib
import math
import time
from base64 import b64decode, b64encode
from typing import Any

from drivers import Table, Value

Record = dict[str, Any]
"""A table of the `accounts` store: `password`, or `salt`, `iteration_count`, `stored_key`, `server_key`; perhaps more."""

ACCOUNTS = "accounts"  # the store
BANNED = "disabled"  # nobody may log in (COMPAT Prosody 13)
SALT, SALT_BYTES = "salt", "salt_base64"
"""The salt as text, or, only if that is empty, in base64: of an imported record, whose salt is not text (decision 0046)."""
CREATED, UPDATED = "created", "updated"  # whole Unix seconds (COMPAT Prosody 13)
_KEYS = ("stored_key", "server_key", SALT)


def record_of(_user: str, table: Table) -> Record | None:
    """What the store has of an account, if it is a record."""
    return table if isinstance(table, dict) else None


def enabled(record: Record | None) -> Record | None:
    """The record of an account whose owner may log in; None for one that is disabled."""
    return None if record and record.get(BANNED) else record


def created_now(record: Record) -> Record:
    """The record of an account that is made at this moment."""
    now = int(time.time())
    return record | {CREATED: now, UPDATED: now}


def updated_now(record: Record) -> Record:
    """The record, whose password was changed, or which was disabled or enabled, at this moment: tokens issued before are void."""
    return record | {UPDATED: int(time.time())}


def rewritten(old: Record | None, new: Record) -> Record:
    """The record to store when a caller replaces `old` by `new`: the times are not the caller's to set.

    `created` stays; `updated` changes with the password, and with disabling and enabling.
    """
    if old is None:
        return {CREATED: int(time.time()), **updated_now(new)}
    times = {key: old[key] for key in (CREATED, UPDATED) if key in old}
    kept = {**new, **times}
    return kept if _opens(old) == _opens(new) else updated_now(kept)


def salt_of(record: Record) -> bytes | None:
    """The salt of a SCRAM record; None for an invalid one. COMPAT Prosody: it hashes the text as it is stored, not decoded."""
    text, encoded = record.get(SALT), record.get(SALT_BYTES)
    if isinstance(encoded, str) and encoded and text == "":
        try:
            return b64decode(encoded, validate=True)
        except ValueError:
            return None
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else None


def salt_members(salt: bytes) -> Record:
    """The members that keep a salt: text, if it is some that every storage can keep."""
    try:
        text = salt.decode()
    except UnicodeDecodeError:
        text = ""
    return {SALT: text} if text and text.isprintable() else {SALT: "", SALT_BYTES: b64encode(salt).decode()}


def has_other_password(old: Record, new: Record) -> bool:
    """Whether the password was changed."""
    return identity_of(old) != identity_of(new)


def updated(record: Record | None) -> float:
    """When the account was last updated, as Unix time; 0 if unknown."""
    when: Value = record.get(UPDATED) if record else None
    return float(when) if isinstance(when, int | float) and not isinstance(when, bool) and abs(when) < math.inf else 0.0


def fingerprint(token: str, record: Record | None) -> str:
    """The fingerprint that ties a token (its hash) to the credentials of its owner; "" without an account. Reveals no password."""
    return "" if record is None else hashlib.sha256(f"{token}:{identity_of(record)}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def identity_of(record: Record) -> str:
    """A text that differs for each password of an account."""
    password = record.get("password")
    if isinstance(password, str) and password:  # COMPAT Prosody: it wins over the keys
        return f"password:{password}"
    return ":".join(str(record.get(key, "")) for key in _KEYS)


def _opens(record: Record) -> tuple[str, bool]:
    return identity_of(record), bool(record.get(BANNED))
