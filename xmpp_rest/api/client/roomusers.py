"""`/rooms/{id}/users` and `/rooms/{id}/users/{user}`: who comes into a room and who leaves it (client-api §3.8, §3.9)."""

from __future__ import annotations

from xmpp_rest.api.client.jids import bare_address
from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.resource import NO_CONTENT, ClientReply
from xmpp_rest.api.client.roompath import RoomResource, refusals
from xmpp_rest.errors import GatewayError

INVALID = "Invalid user JID"


class RoomUsersResource(RoomResource):
    """Adds and removes occupants."""

    methods = ("OPTIONS", "POST", "DELETE")

    def post(self) -> ClientReply:
        """Add the user in the body; one in the path is ignored."""
        name = self.room_name()
        fields = self.fields()
        if "user" not in fields:
            raise Refusal(400, "Missing JID")
        user = self.require_address(bare_address(fields["user"], INVALID), INVALID)
        try:
            with refusals("affiliations"):
                self.rooms.add(name, self.account, user)
        except GatewayError as e:
            if e.name != "bad-room-change":
                raise
            raise Refusal(400, f"{INVALID}: {user}") from e  # an address that cannot be a nickname
        return NO_CONTENT

    def delete(self) -> ClientReply:
        name = self.room_name()
        if "user" not in self.args:
            raise Refusal(400, "Missing JID")
        user = bare_address(self.args["user"], INVALID)
        with refusals("affiliations"):
            self.rooms.remove(name, self.account, user)
        return NO_CONTENT
