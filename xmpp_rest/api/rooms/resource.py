"""The base of all resources of /rest/rooms: credentials, whose rooms, which room, bodies, errors (rooms-anywhere §6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NoReturn

from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.rest.denied import error_of_credentials
from xmpp_rest.api.rooms.bodies import BadRoomMember
from xmpp_rest.api.rooms.problems import members_for, of_refusal, problem
from xmpp_rest.auth.authorization import REST, read_authorization
from xmpp_rest.auth.caller import Caller, CallerKind, Denial, DenialReason
from xmpp_rest.errors import ERRORS
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.http.request import BadCoding, read_body
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.strict_json import BadJSON, read_json
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.threads.waits import Wait

JSON = ("application", "json", "*")
_SHOWN = 100  # characters of an address that is repeated in an answer


class MembershipResource(Authenticated):
    """Base of the resources below /rest/rooms."""

    policy = REST

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    # -- the caller

    def authenticate(self) -> Caller | Denial:
        who = super().authenticate()
        if isinstance(who, Denial) and who.reason is DenialReason.WRONG:
            fault = error_of_credentials(read_authorization(self.authorization), self.gateway.settings.gateway.domain)
            return Denial(DenialReason.MISSING) if fault == "noauthz" else who  # as at /rest: these are none of ours
        return who

    def forbidden(self) -> bool:
        if super().forbidden():
            return True
        if self._denial is None and self.request.method not in self.open_methods:
            self.actor  # noqa: B018 (whose rooms these are, before anything is told of them)
        return False

    @cached_property
    def actor(self) -> JID:
        """Who is in rooms: the caller, or whom `?of=` names, for the component and for administrators."""
        named, own = self.request.args.get("of"), self.caller.jid.bare
        if named is None:
            return own
        try:
            actor = parse_jid(named).bare
        except InvalidJID as e:
            self.fail(422, "jid-malformed", f"of={named[:_SHOWN]!r}: {e}")
        if actor != own and not self.caller.admin and self.caller.kind is not CallerKind.COMPONENT:
            self.fail(403, "forbidden", f"These credentials show the rooms of {own} only; leave `of` out")
        if actor != own and actor.domain != self.gateway.settings.gateway.domain:
            self.fail(403, "forbidden", f"{str(actor)[:_SHOWN]} is not an address of {self.gateway.settings.gateway.domain}")
        return actor

    def refuse_foreign_page(self) -> NoReturn:
        self.fail(403, ERRORS["foreign"].condition, ERRORS["foreign"].text)

    # -- the room

    @cached_property
    def room(self) -> JID:
        """The room that the path names. Stops with 422 for what is none, and 404 for an address that cannot be one."""
        return self.room_of(self.args["room"])

    def room_of(self, written: str) -> JID:
        """The room of this address, as `room`."""
        settings = self.gateway.settings.gateway
        try:
            room = parse_jid(written)
        except InvalidJID as e:
            self.fail(422, "jid-malformed", f"{written[:_SHOWN]!r} is not the address of a room: {e}")
        if not room.local or room.resource:
            self.fail(422, "jid-malformed", f"{written[:_SHOWN]!r} is not the address of a room, such as garden@conference.example.net")
        if room.domain == settings.rooms_domain:
            place = f"{self.gateway.settings.client.prefix}/rooms"
            self.fail(422, "feature-not-implemented", f"This is a room of MUC Light, which is at {place}", room=str(room))
        if room.domain in settings.domains and room.domain != settings.conference_domain:
            self.fail(404, "service-unavailable", "There is no room service at this address", room=str(room), by=room.domain)
        return room

    # -- bodies and answers

    def content_types_provided(self) -> Sequence[tuple[tuple[str, str, str], str]]:
        return [(JSON, "to_json")]

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return [(JSON, "from_json")]

    def allow_missing_post(self) -> bool:
        return False

    def members(self) -> Any:
        """The value of the body. Stops with 400 where it is not JSON; an empty one is an object without members."""
        body = self.body()
        try:
            return read_json(body) if body else {}
        except BadJSON as e:
            self.fail(400, "bad-request", str(e))

    def body(self) -> bytes:
        """What was sent. Stops with 413, or 400."""
        limit = self.gateway.settings.rest.stanza_size_limit
        try:
            return read_body(self.request, limit)
        except RequestEntityTooLarge:
            self.fail(413, "resource-constraint", f"The body is larger than {limit} bytes ([rest] stanza_size_limit)")
        except BadCoding as e:
            self.fail(400, "bad-request", str(e.description))

    def wait(self, seconds: float) -> Wait:
        """A wait of this request, which ends when its client has gone."""
        return Wait(seconds, ClientConnection(self.request.environ).gone)

    # -- errors

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        self.problem = members_for(status, self.known | self.problem)
        return super().render_error(status)

    def fail(self, status: int, condition: str, detail: str, **members: str) -> NoReturn:
        """End the request with a problem document."""
        raise Stop(problem(status, condition, detail, **(self.known | members)))

    @property
    def known(self) -> dict[str, str]:
        """The room, once it is known to be one."""
        return {"room": str(self.room)} if "room" in self.__dict__ else {}

    def fail_for(self, refusal: RoomRefusal) -> NoReturn:
        """End the request because the room has refused."""
        raise Stop(of_refusal(refusal, str(self.room)))

    def fail_member(self, error: BadRoomMember) -> NoReturn:
        """End the request because of a member of its body."""
        self.fail(422, error.condition, str(error))
