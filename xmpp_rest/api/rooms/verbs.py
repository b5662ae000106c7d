"""What an occupant does in a room: subject, invitations, kicks and bans (rooms-anywhere §6)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from xmpp_rest.api.rooms.bodies import BadRoomMember, Members, flag, nick, people, person, read_members, text
from xmpp_rest.api.rooms.resource import JSON, MembershipResource
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.verbs import RoomVerbs
from xmpp_rest.threads.waits import Wait

Do = Callable[[Wait], RoomRefusal | None]
SUBJECT: Members = {"subject": text}
INVITE: Members = {"to": people, "reason": text, "direct": flag}
KICK: Members = {"nick": nick, "reason": text}
BAN: Members = {"jid": person, "nick": nick, "reason": text}


class RoomVerb(MembershipResource):
    """Base of the four: 204 when the room has done it."""

    members_of: ClassVar[Members]
    one_of: ClassVar[tuple[str, ...]]
    """Exactly one of these must be there."""

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST"]

    def resource_exists(self) -> bool:
        """The room is one at least; whether the occupant is in is looked at when it is to do something."""
        return self.room is not None

    def from_json(self) -> bool:
        try:
            asked = read_members(self.members(), self.members_of, one_of=self.one_of)
        except BadRoomMember as e:
            self.fail_member(e)
        return self.perform(asked)

    def perform(self, asked: Mapping[str, Any]) -> bool:
        """Have the room do this, and wait for it."""
        refusal = self.verb(asked)(self.wait(self.gateway.settings.rooms_anywhere.join_timeout))
        if refusal is not None:
            self.fail_for(refusal)
        return True

    @property
    def verbs(self) -> RoomVerbs:
        """What speaks with the rooms."""
        return self.services.room_verbs

    @abstractmethod
    def verb(self, asked: Mapping[str, Any]) -> Do:
        """What is to be done."""


class SubjectOfRoom(RoomVerb):
    """`PUT /rest/rooms/{room}/subject`: as JSON, or as text."""

    members_of = SUBJECT
    one_of = ("subject",)

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "PUT"]

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return [(JSON, "from_json"), (("text", "plain", "*"), "from_text")]

    def from_text(self) -> bool:
        """The body is the subject, in UTF-8."""
        try:
            asked = read_members({"subject": self.body().decode()}, SUBJECT)
        except UnicodeDecodeError:
            self.fail(400, "bad-request", "The text is not UTF-8")
        except BadRoomMember as e:
            self.fail_member(e)
        return self.perform(asked)

    def verb(self, asked: Mapping[str, Any]) -> Do:
        return lambda wait: self.verbs.set_subject(self.actor, self.room, asked["subject"], wait)


class InvitationToRoom(RoomVerb):
    """`POST /rest/rooms/{room}/invite`: through the room, or directly."""

    members_of = INVITE
    one_of = ("to",)

    def verb(self, asked: Mapping[str, Any]) -> Do:
        to, reason, direct = asked["to"], asked.get("reason", ""), asked.get("direct", False)
        return lambda wait: self.verbs.invite(self.actor, self.room, to, reason, wait, direct=direct)


class KickFromRoom(RoomVerb):
    """`POST /rest/rooms/{room}/kick`."""

    members_of = KICK
    one_of = ("nick",)

    def verb(self, asked: Mapping[str, Any]) -> Do:
        return lambda wait: self.verbs.kick(self.actor, self.room, asked["nick"], asked.get("reason", ""), wait)


class BanFromRoom(RoomVerb):
    """`POST /rest/rooms/{room}/ban`: by address, or by nick where the room shows the address."""

    members_of = BAN
    one_of = ("jid", "nick")

    def verb(self, asked: Mapping[str, Any]) -> Do:
        if "jid" in asked:
            return lambda wait: self.verbs.ban(self.actor, self.room, asked["jid"], asked.get("reason", ""), wait)
        return lambda wait: self.verbs.ban_nick(self.actor, self.room, asked["nick"], asked.get("reason", ""), wait)
