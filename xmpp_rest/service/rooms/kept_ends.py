"""The end of kept messages: looks every hour for rooms whose memberships ended long ago (rooms-anywhere §8.1). In the leader."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.kept_room_messages import KeptRoomMessages

log = logging.getLogger("xmpp_rest.rooms")

FIRST = 300.0  # seconds from the beginning to the first look, as who stays in a room has to come in first
EVERY = 3600.0


class KeptEnds:
    """Works by timers alone, once the process leads."""

    def __init__(
        self, kept: KeptRoomMessages, holds: Callable[[JID, JID], bool], domain: str, remote: Remote, incidents: Incidents
    ) -> None:
        """`holds`: whether an actor has a membership of a room; `domain`: of the actors."""
        self._kept = kept
        self._holds = holds
        self._domain = domain
        self._remote = remote
        self._incidents = incidents
        remote.on_role(self._take_role)

    def _take_role(self, leads: bool) -> None:
        if leads:
            self._look_in(FIRST)

    def _look_in(self, seconds: float) -> None:
        self._remote.timers.after(seconds, lambda: self._remote.pool.submit(self._look))

    def _look(self) -> None:
        try:
            if count := self._kept.expire(time.time(), self._holds, self._domain):
                log.info("what was kept of %d rooms has gone, as their memberships ended long ago", count)
        except Exception as e:  # of the storage; the next look comes
            self._incidents.report(log, "room-unpruned", "the messages of rooms that were left are not looked for: %r", e)
        self._look_in(EVERY)
