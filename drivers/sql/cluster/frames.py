"""Frames: by NOTIFY, or as rows, where there is no NOTIFY or a frame is too long for it.

A notification's payload is a number, a sign and the text, or the id of the row that has it. The number keeps two alike apart, of
which PostgreSQL would send one only. A row of an ear has the channel before the text, as what is for everybody is a row for each.
"""

# many-machines §5

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence

from drivers import StorageError
from drivers.shared import channel_of
from drivers.sql.session import DatabaseSession

LONGEST = 7500
"""Bytes of a payload in a notification: PostgreSQL takes fewer than 8,000."""
NOTIFICATION = re.compile(r"[0-9]{1,9}(?:=(?P<text>.*)|@(?P<id>[0-9]{1,18}))", re.DOTALL)
OF_THESE = 'FROM UNNEST(?::text[], ?::text[]) AS f("channel", "text")'
NOTIFY = f'SELECT COUNT(pg_notify(f."channel", f."text")) {OF_THESE}'
KEEP = 'INSERT INTO "xmpprest_frames" ("ear", "text") SELECT f."channel", f."text" FROM UNNEST(?::text[], ?::text[]) WITH ORDINALITY '
KEEP += 'AS f("channel", "text", "at") ORDER BY f."at" RETURNING "id"'
FETCH = 'SELECT "id", "text" FROM "xmpprest_frames" WHERE "id"=ANY(?)'
TAKE = 'DELETE FROM "xmpprest_frames" WHERE "ear"=ANY(?) RETURNING "id", "text"'
FORGET = 'DELETE FROM "xmpprest_frames" WHERE "ear"=?'
RUNS = 'SELECT "run" FROM "xmpprest_nodes" WHERE "domain"=? ORDER BY "node"'
NEWEST = 'SELECT COALESCE(MAX("id"), 0) FROM "xmpprest_frames"'
SWEEP = 'DELETE FROM "xmpprest_frames" WHERE "id"<=?'
MINUTE = 60.0
"""Seconds after which a row is removed, whether somebody has read it or not: who has not is gone."""
Sent = Sequence[tuple[str, str]]


def notify(session: DatabaseSession, sent: Sent) -> bool:
    """Send by NOTIFY; whether rows were made. In a transaction if any is too long."""
    long = [i for i, (_, text) in enumerate(sent) if is_long(text)]
    ids = iter(_keep(session, [sent[i] for i in long]))
    where = {i: next(ids) for i in long}
    payloads = [f"{i}@{where[i]}" if i in where else f"{i}={text}" for i, (_, text) in enumerate(sent)]
    session.rows(NOTIFY, [channel for channel, _ in sent], payloads)
    return bool(long)


def is_long(text: str) -> bool:
    """Whether a notification cannot have this text."""
    return len(text) > LONGEST // 4 and len(text.encode()) > LONGEST


def leave(session: DatabaseSession, domain: str, sent: Sent) -> None:
    """Leave rows for those who look for them. In a transaction."""
    everybody = channel_of(domain)
    runs = [run for (run,) in session.rows(RUNS, domain)] if any(channel == everybody for channel, _ in sent) else []
    ears = {everybody: [channel_of(domain, run) for run in runs]}
    _keep(session, [(ear, f"{channel}\n{text}") for channel, text in sent for ear in ears.get(channel, [channel])])


def _keep(session: DatabaseSession, sent: Sent) -> list[int]:
    """Make a row for each; their ids."""
    if not sent:
        return []
    return sorted(id_ for (id_,) in session.rows(KEEP, [channel for channel, _ in sent], [text for _, text in sent]))


def take(session: DatabaseSession, channels: Collection[str]) -> list[tuple[str, str]]:
    """Take away the rows of these ears, in their order; the channel and the text of each."""
    return [_unfolded(text) for _, text in sorted(session.rows(TAKE, list(channels)))]


def _unfolded(text: str) -> tuple[str, str]:
    channel, _, payload = text.partition("\n")
    return channel, payload


def resolve(session: DatabaseSession, heard: Sent) -> list[tuple[str, str]]:
    """The texts of notifications, without those that no gateway has sent. Raises StorageError if a row is gone: a frame is lost."""
    known = [(channel, found) for channel, payload in heard if (found := NOTIFICATION.fullmatch(payload))]
    ids = [int(found["id"]) for _, found in known if found["id"]]
    texts = {str(id_): text for id_, text in session.rows(FETCH, ids)} if ids else {}
    try:
        return [(channel, texts[found["id"]] if found["id"] else found["text"]) for channel, found in known]
    except KeyError as e:
        raise StorageError("a frame that another node has sent is gone from the database") from e


def forget(session: DatabaseSession, channel: str) -> None:
    """Remove the rows of one ear."""
    session.run(FORGET, channel)


class Sweep:
    """Removes rows that are older than a minute, by what was the newest one a minute ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._newest = 0
        self._at = -MINUTE

    def sweep(self, session: DatabaseSession) -> None:
        """Do so, unless it was done within the last minute."""
        now = self._clock()
        if now - self._at >= MINUTE:
            if self._newest:
                session.run(SWEEP, self._newest)
            self._newest, self._at = session.rows(NEWEST)[0][0], now
