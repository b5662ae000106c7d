"""Sessions whose accounts are in rooms are worth resuming after a break: what was said there meanwhile comes by that."""

from __future__ import annotations

from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.service.rooms.session_changes import SessionChanges
from xmpp_rest.service.sessions.session_observer import SessionObserver


class RoomSessions(SessionObserver):
    """An observer of sessions; in the leader."""

    def __init__(self, rooms: SessionChanges) -> None:
        self._rooms = rooms

    def is_worth_resuming(self, session: ClientSession) -> bool:
        return self._rooms.has_rooms(session.account)
