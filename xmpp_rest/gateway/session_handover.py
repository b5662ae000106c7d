"""What an owner leaves for the next one: the sessions of accounts of other servers that are in use (many-machines §9).

It says by what to log in, so it is sealed by the secret of the link and by the key of proofs, which is in the memory of processes alone:
each learns it when it begins to follow. Who has the database, and all copies of it, has nothing.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from drivers import StorageError
from xmpp_rest.auth.sealing import BadSeal, KeyedSeal, OneKey
from xmpp_rest.gateway.left_list import LeftList
from xmpp_rest.incidents import Incidents
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.handed_over import HandedOverSessions
from xmpp_rest.service.sessions.process_key import ProcessKey

log = logging.getLogger("xmpp_rest.sessions")

PURPOSE = "a session that was left"  # no address of an account


class SessionHandover:
    """In the process that owns, or is about to. What fails costs the sessions, as a crash does: the next request logs in again."""

    def __init__(
        self, kept: LeftList, sessions: HandedOverSessions, core: SessionCore, key: ProcessKey, secret: str, incidents: Incidents
    ) -> None:
        """`kept`: of `unclaimed_sessions.STORE`; `secret`: of the link."""
        self._kept = kept
        self._sessions = sessions
        self._core = core
        self._key = key
        self._secret = secret
        self._incidents = incidents

    def leave(self) -> None:
        """Leave the sessions in use, and write down what the next owner needs."""
        try:
            self._sessions.leave(self._keep)
        except Exception as e:  # what ends after this ends all the same
            self._incidents.report(log, "sessions-left", "sessions are not handed over: %s", e, trace=not isinstance(e, StorageError))

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        """Raises StorageError."""
        seal = self._seal(self._core.key)
        self._kept.leave([{"sealed": seal.close(json.dumps(row), PURPOSE)} for row in rows])

    def take(self) -> None:
        """Go on with the sessions that the owner before has left, if that was just now."""
        try:
            rows = self._kept.take()
        except StorageError as e:
            self._incidents.report(log, "sessions-left", "sessions of the owner before have ended: %s", e)
            return
        if not rows:
            return
        if (key := self._key.former) is None:
            text = "sessions of the owner before have ended: this process has not followed it for long enough to know its key"
            self._incidents.report(log, "sessions-left", text)
            return
        seal, opened = self._seal(key), list[Any]()
        for row in rows:
            try:
                opened.append(json.loads(seal.open(row["sealed"], PURPOSE)))
            except (BadSeal, KeyError, TypeError, ValueError) as e:
                self._incidents.report(log, "sessions-left", "a session of the owner before cannot be read: %r", e)
        if opened:
            self._core.go_on_with(key)
        for row in opened:
            try:
                self._sessions.restore(row)
            except Exception as e:  # of another release, say
                self._incidents.report(log, "sessions-left", "a session of the owner before has ended: %r", e)

    def _seal(self, key: bytes) -> KeyedSeal:
        return KeyedSeal(OneKey(key), self._secret)
