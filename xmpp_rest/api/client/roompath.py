"""Rooms in paths of the client API, and the answers when a room refuses (client-api §3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.resource import ClientResource
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.protocol.prep import PrepError, nodeprep
from xmpp_rest.service.accounts.ports import MucLightPort

REFUSALS = {  # status, text, status in generation 3
    "room-unknown": (404, "Room not found", 404),
    "room-exists": (403, "Room already exists", 400),
    "not-occupant": (403, "Given user does not occupy this room", 403),
    "not-owner": (403, "Given user does not have permission to change {right}", 403),
}
OLD_INVALID = "invalid_room_id"  # COMPAT MongooseIM, generation 3: the body where room messages are concerned


class RoomResource(ClientResource):
    """Base of the resources below /rooms."""

    @property
    def rooms(self) -> MucLightPort:
        """The rooms of the caller's server. Raises Refusal: 404 where there are none."""
        rooms = self.services.muclight(self.account)
        if rooms is None:
            raise Refusal(404, "MUC Light server not found")
        return rooms

    def room_name(self, old_text: str = "") -> str:
        """The localpart of the room that the path names. Raises Refusal: 400; `old_text` is its body in generation 3."""
        domain = self.rooms.domain
        segment = self.args.get("id")
        if segment is None:
            raise Refusal(400, "Missing room ID", old_status=500)
        try:
            return nodeprep(segment)
        except PrepError:
            return self._local_of(segment, domain, old_text)

    def _local_of(self, segment: str, domain: str, old_text: str) -> str:
        try:
            jid = parse_jid(segment)
        except InvalidJID as e:
            raise Refusal(400, "Invalid room ID", old_text=old_text) from e
        if jid.domain != domain:
            raise Refusal(400, "Invalid MUC Light domain", old_text=old_text)
        if not jid.local or (jid.resource and self.settings.generation == 3):
            raise Refusal(400, "Invalid room ID", old_text=old_text)
        return jid.local


@contextmanager
def refusals(right: str = "") -> Iterator[None]:
    """Refuse as the API words it what the rooms refuse; `right`: what only the owner may change."""
    try:
        yield
    except GatewayError as e:
        if e.name not in REFUSALS:
            raise
        status, text, old_status = REFUSALS[e.name]
        raise Refusal(status, text.format(right=right), old_status=old_status) from e
