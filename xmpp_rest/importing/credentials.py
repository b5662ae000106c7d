"""The account record made from the credentials of a source (decision 0046)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from xmpp_rest.auth.passwords import MAX_ITERATIONS, Passwords
from xmpp_rest.auth.record import BANNED, CREATED, SALT, SALT_BYTES, UPDATED, Record, salt_members
from xmpp_rest.importing.records import Disabled, Scram
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.prep import PrepError
from xmpp_rest.service.accounts.bans import DETAILS

PREFERRED = {"SCRAM-SHA-256": 32, "SCRAM-SHA-512": 64, "SCRAM-SHA-1": 20}
"""Mechanism → bytes of its keys; the first one that the source has is imported. SHA-512 comes after the one that Prosody can use."""
_OPENING = ("password", SALT, SALT_BYTES, "iteration_count", "stored_key", "server_key")
NOTHING = "has no password that can be imported: set one with change_password"
OTHER_SALT = "has a salt that is not text: a Prosody on the same storage cannot check its password until it is set again"
SLOW = f"has more than {MAX_ITERATIONS} iterations: raise [auth] iterations, or set its password again"


def members(password: str | None, scrams: Iterable[Scram], passwords: Passwords, remark: Callable[..., None]) -> Record:
    """The members of the record for these credentials; none if they are of no use, which `remark` is told. Plain text is preferred."""
    if password is not None:
        try:
            return passwords.record(password)
        except PrepError as e:
            remark(f"has a password that is not allowed ({e})")
    by_mechanism = {scram.mechanism: scram for scram in scrams if _is_whole(scram)}
    found = next((by_mechanism[name] for name in PREFERRED if name in by_mechanism), None)
    if found is None:
        remark(NOTHING)
        return {}
    salt = salt_members(found.salt)
    if SALT_BYTES in salt:
        remark(OTHER_SALT, named=False)
    if found.iterations > MAX_ITERATIONS:
        remark(SLOW)
    keys = {"stored_key": found.stored_key.hex(), "server_key": found.server_key.hex()}
    return {**salt, "iteration_count": found.iterations, **keys}


def _is_whole(scram: Scram) -> bool:
    size = PREFERRED.get(scram.mechanism)
    return bool(scram.salt) and scram.iterations > 0 and len(scram.stored_key) == len(scram.server_key) == size


def ban(disabled: Disabled) -> Record:
    """The members of a banned account, as the command ban_account writes them."""
    dates = {"bandate": disabled.when, "lastdate": disabled.last_when}
    texts = {"reason": disabled.reason, "lastreason": disabled.last_status}
    details = {**texts, **{name: write_datetime(when) for name, when in dates.items() if when is not None}}
    return {BANNED: True, DETAILS: {name: text for name, text in details.items() if text}}


def kept(old: Record) -> Record:
    """The members of a record that open the account: for one that is replaced by one without any."""
    return {name: old[name] for name in _OPENING if name in old}


def times(made: float | None, old: Record) -> Record:
    """When the account was made, and that it has changed now."""
    now = int(time.time())
    return {CREATED: old.get(CREATED, now) if made is None else int(made), UPDATED: now}
