"""The rows of leases, and the locks that show that an owner's session lives."""

# many-machines §6

from __future__ import annotations

import hashlib

from drivers.shared import PREFIX, LeaseRow
from drivers.sql.session import DatabaseSession

ALL = 'SELECT "hosted", "node", "run", "epoch", "beat" FROM "xmpprest_leases"'
OWN = 'WHERE "hosted"=? AND "run"=? AND "epoch"=?'
# the transactions of the owner hold FOR KEY SHARE: renewals do not wait for them, this does
LOCK = f'{ALL} WHERE "hosted"=? FOR UPDATE'
FIRST = 'INSERT INTO "xmpprest_leases" ("hosted", "node", "run", "epoch", "beat") VALUES (?, ?, ?, 1, 1) ON CONFLICT DO NOTHING'
TAKE = 'UPDATE "xmpprest_leases" SET "node"=?, "run"=?, "epoch"=?, "beat"="beat"+1 WHERE "hosted"=?'
RENEW = f'UPDATE "xmpprest_leases" SET "beat"="beat"+1 {OWN}'  # noqa: S608
RELEASE = f'UPDATE "xmpprest_leases" SET "node"=\'\', "beat"="beat"+1 {OWN}'  # noqa: S608
# a new owner is on disk before it does anything, though not on a standby: that has none of the owner's promises then either
SYNCED = "SET LOCAL synchronous_commit = local"
HOLD = "SELECT pg_try_advisory_lock(?)"
LOOK = "SELECT pg_try_advisory_xact_lock_shared(?)"  # held for this statement only
FREE = "SELECT pg_advisory_unlock(?)"


def all_of(session: DatabaseSession) -> dict[str, LeaseRow]:
    """All leases."""
    return {row[0]: LeaseRow(*row) for row in session.rows(ALL)}


def take(session: DatabaseSession, hosted: str, node: str, run: str, seen: LeaseRow | None) -> int | None:
    """Take a lease that is as it was seen; the new epoch. In a transaction."""
    session.run(SYNCED)
    rows = session.rows(LOCK, hosted)
    if not rows:
        return 1 if seen is None and session.run(FIRST, hosted, node, run) else None
    now = LeaseRow(*rows[0])
    if seen is None or (now.node, now.run, now.epoch, now.beat) != (seen.node, seen.run, seen.epoch, seen.beat):
        return None
    session.run(TAKE, node, run, now.epoch + 1, hosted)
    return now.epoch + 1


def renew(session: DatabaseSession, hosted: str, run: str, epoch: int) -> bool:
    """Count up; whether the lease is still held."""
    return session.run(RENEW, hosted, run, epoch) == 1


def release(session: DatabaseSession, hosted: str, run: str, epoch: int) -> None:
    """Give up a lease that is held."""
    session.run(RELEASE, hosted, run, epoch)


def hold(session: DatabaseSession, hosted: str) -> bool:
    """Acquire the lock of the session, which counts how often; whether it is held."""
    return bool(session.rows(HOLD, lock_number(hosted))[0][0])


def is_free(session: DatabaseSession, hosted: str) -> bool:
    """Whether nobody else holds the lock."""
    return bool(session.rows(LOOK, lock_number(hosted))[0][0])


def free(session: DatabaseSession, hosted: str) -> None:
    """Release the lock."""
    session.rows(FREE, lock_number(hosted))


def lock_number(hosted: str) -> int:
    """The number of the lock of a domain, as PostgreSQL names them."""
    return int.from_bytes(hashlib.sha256(f"{PREFIX}:{hosted}".encode()).digest()[:8], signed=True)
