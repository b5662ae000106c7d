"""`/rooms`, `/rooms/{id}` and `/rooms/{id}/config`: the caller's rooms, one of them, and what it is called (client-api §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xmpp_rest.api.client.jids import bare_address
from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.resource import NO_CONTENT, ClientReply
from xmpp_rest.api.client.roompath import RoomResource, refusals
from xmpp_rest.api.client.values import string
from xmpp_rest.errors import GatewayError
from xmpp_rest.service.muclight.room import MEMBER, NewAffiliation

CONFIG = {"name": "roomname", "subject": "subject", "description": "description"}
"""Key of this API → field of the room's configuration. The first two are required; others are ours (client-api §11)."""
REQUIRED = ("name", "subject")


class RoomsResource(RoomResource):
    """Lists and makes rooms, and tells of one."""

    methods = ("OPTIONS", "GET", "POST", "PUT")

    def get(self) -> Any:
        if "id" in self.args:
            return self._details()
        return [
            {"id": room.jid.local, "name": room.config["roomname"], "subject": room.config["subject"]}
            for room in self.rooms.occupied(self.account)
        ]

    def _details(self) -> dict[str, Any]:
        name = self.room_name()
        with refusals():
            room = self.rooms.room(name, self.account)
        participants = [{"user": str(user), "role": affiliation} for user, affiliation in room.affiliations.items()]
        shown = {key: room.config[field] for key, field in CONFIG.items() if key in REQUIRED or room.config.get(field)}
        return shown | {"participants": participants}

    def post(self) -> ClientReply:
        """Make a room of a new name; the segment of the path is ignored."""
        return self._create("", 200 if self.settings.generation == 3 else 201)

    def put(self) -> ClientReply:
        return self._create(self.room_name(), 201)

    def _create(self, name: str, status: int) -> ClientReply:
        rooms = self.rooms
        fields = self.fields()
        require(fields)
        others = self._participants(fields.get("participants", []))
        with refusals():
            if name and rooms.exists(name):  # client-api §1.7: before the values are looked at
                raise GatewayError("room-exists")
            return ClientReply(status, {"id": rooms.create(self.account, configuration(fields), others, name=name)})

    def _participants(self, given: Any) -> list[NewAffiliation]:
        """Who is in the room from the start (an extension, client-api §11), each once, without the caller."""
        if not isinstance(given, list):
            raise Refusal(400, "Invalid list of participants")
        text = "Invalid user JID"
        users = dict.fromkeys(self.require_address(bare_address(user, text), text) for user in given)
        return [NewAffiliation(user, MEMBER) for user in users if user != self.account]


class RoomConfigResource(RoomResource):
    """Changes name and subject."""

    methods = ("OPTIONS", "PUT")

    def put(self) -> ClientReply:
        name = self.room_name()
        fields = self.fields()
        require(fields)
        with refusals("config"):
            # client-api §1.7: whether the caller may comes before whether the values are good
            self.rooms.room(name, self.account).require(self.account, owner=self.rooms.owner_configures)
            self.rooms.configure(name, self.account, configuration(fields))
        return NO_CONTENT


def require(fields: Mapping[str, Any]) -> None:
    """Raise Refusal, 400, unless name and subject are given."""
    for key in REQUIRED:
        if key not in fields:
            raise Refusal(400, f"Missing room {key}")


def configuration(fields: Mapping[str, Any]) -> dict[str, str]:
    """The room's configuration in a body. Raises Refusal: 400 for a value that is not text, or one that XML cannot hold."""
    return {
        field: string(fields[key], f"Validation failed for key: {field} with reason type_error")
        for key, field in CONFIG.items()
        if key in fields
    }
