"""`/rest/rooms` and `/rest/rooms/{room}`: which rooms an account is in, and its coming and going (rooms-anywhere §6)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from xmpp_rest.api.own_address import base_path
from xmpp_rest.api.rooms.bodies import BadRoomMember, Members, flag, history, nick, nick_of_field, password, read_members, text
from xmpp_rest.api.rooms.problems import DETAILS
from xmpp_rest.api.rooms.resource import JSON, MembershipResource
from xmpp_rest.api.routing import segments
from xmpp_rest.http.resource import Accepted
from xmpp_rest.service.rooms.refused import not_answered
from xmpp_rest.service.rooms.values import RoomState, RoomView, Wish

MEMBERS: Members = {"nick": nick, "password": password, "history": history, "stay": flag, "create": flag}
REASON: Members = {"reason": text}
NICK_FIELD = "HTTP_NICK"
_ASYNC = re.compile(r"(?:^|[,;])\s*respond-async\s*(?:$|[,;])", re.IGNORECASE)  # RFC 7240 §4.1


class MembershipList(MembershipResource):
    """`GET /rest/rooms`: by address."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def to_json(self) -> dict[str, Any]:
        views = self.gateway.parts.room_calls.of(self.actor)
        return {"rooms": [view.summary() for view in sorted(views, key=lambda view: view.room)]}


class MembershipItem(MembershipResource):
    """`/rest/rooms/{room}`: one membership."""

    def allowed_methods(self) -> list[str]:
        return ["DELETE", "GET", "HEAD", "OPTIONS", "PUT"]

    @cached_property
    def view(self) -> RoomView | None:
        """The membership as it was when the request came; None without one."""
        return self.gateway.parts.room_calls.get(self.actor, self.room)

    def resource_exists(self) -> bool:
        """For PUT whether one is in: else that makes it so, and the answer is 201."""
        there = self.view
        if self.request.method == "PUT":
            return there is not None and there.state == RoomState.IN.value
        if there is None:
            self.fail(404, "item-not-found", f"There is no membership of {self.actor} in this room; PUT joins it", room=str(self.room))
        return True

    def to_json(self) -> dict[str, Any]:
        assert self.view is not None
        return self.view.details()

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return [(JSON, "from_json")] if self.request.environ.get("CONTENT_TYPE") else [("*", "from_nothing")]

    def from_nothing(self) -> bool | Accepted:
        """PUT without a body."""
        if self.body():
            self.fail(415, "bad-format", "Content-Type must be application/json")
        return self._join({})

    def from_json(self) -> bool | Accepted:
        return self._join(self.members())

    def _join(self, asked: Any) -> bool | Accepted:
        try:
            wish = self._wish(read_members(asked, MEMBERS))
        except BadRoomMember as e:
            self.fail_member(e)
        rooms = self.gateway.parts.room_calls
        if self._is_async:
            joined = rooms.join_later(self.actor, self.room, wish)
            self.set_field("Preference-Applied", "respond-async")
        else:
            with self.gateway.parts.waits.holding(str(self.actor)):
                joined = rooms.join(self.actor, self.room, wish, self.wait(self._patience))
        if joined.view is None:
            self.fail_for(joined.refusal or not_answered(str(self.room)))
        return self._answer(joined.view, wish.nick)

    def _answer(self, view: RoomView, nick: str) -> bool | Accepted:
        """`nick`: the one that is wanted. A change of it that nobody waits for may still be refused."""
        self.set_body(view.details())
        if view.state != RoomState.IN.value or (self._is_async and nick not in ("", view.nick)):
            return Accepted()
        if not self.exists:
            self.set_field("Location", self._location)
        return True

    def _wish(self, asked: dict[str, Any]) -> Wish:
        """What the body asks for; a nick may also be in the field of that name. Raises BadRoomMember."""
        field = self.request.environ.get(NICK_FIELD)
        if "nick" not in asked and field is not None:
            asked = asked | {"nick": nick_of_field(field)}
        return Wish(is_named="nick" in asked, stay=asked.get("stay", True), by="request", **{k: v for k, v in asked.items() if k != "stay"})

    @property
    def _is_async(self) -> bool:
        """Whether the client does not wait for the room."""
        return _ASYNC.search(self.request.environ.get("HTTP_PREFER", "")) is not None

    @property
    def _patience(self) -> float:
        """Seconds to wait for the room: what finding out what it is may take, joining it, and going on to other nicks."""
        return 2 * self.gateway.settings.rooms_anywhere.join_timeout + 10

    @property
    def _location(self) -> str:
        path = f"{base_path(self.request, self.gateway)}/rest/rooms/{quote(str(self.room), safe='@')}"
        of = self.request.args.get("of")
        return path if of is None else f"{path}?of={quote(of, safe='@')}"

    def delete_resource(self) -> bool:
        assert self.view is not None
        if self.view.by.startswith("callback:"):
            name = self.view.by.removeprefix("callback:")
            text = f"The room stands in the configuration, in [callback.{name}] rooms: take it out there"
            self.fail(409, "not-allowed", text, room=str(self.room))
        if not self.gateway.parts.room_calls.leave_room(self.actor, self.room, self._reason):
            self.fail(404, "item-not-found", "There is no membership any more", room=str(self.room))
        return True

    @property
    def _reason(self) -> str:
        """What the room is told of the reason."""
        try:
            return str(read_members({"reason": self.request.args.get("reason", "")}, REASON)["reason"])
        except BadRoomMember as e:
            self.fail_member(e)


class NoMembership(MembershipResource):
    """Paths below /rest/rooms where nothing is: 422 if what stands for the room is none, else 404."""

    def allowed_methods(self) -> list[str]:
        return ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]

    def resource_exists(self) -> bool:
        named = segments(self.request)[2:3]  # a `%2F` in it is one of its letters
        if named:
            self.room_of(named[0])
        self.fail(404, "item-not-found", DETAILS[404][1])
