"""Requests to rooms are from the occupant that the actor has there: a room knows that one (rooms-anywhere §6, §11)."""

from __future__ import annotations

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.values import RoomState


class OccupantAsks:
    """In the leader, asked for every iq that somebody waits for."""

    def __init__(self, memberships: Memberships, resource: str) -> None:
        """`resource`: of all managed occupants of the gateway's. Accounts elsewhere ask as their sessions, everybody."""
        self._memberships = memberships
        self._resource = resource

    def asker(self, sender: JID, to: JID) -> JID:
        """From whom an iq is sent: the occupant, if the sender is in that room and has named no other resource; else the sender."""
        if not to.local or sender.resource not in ("", self._resource):
            return sender
        place = self._memberships.place(sender.bare, to)
        return place.occupant if self._memberships.state(place) is RoomState.IN else sender
