"""`/rest/scheduled`: the messages that wait for their time (hooks §17)."""

from __future__ import annotations

from typing import Any, NoReturn

from drivers import StorageError
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.api.rest.time_fields import NOT_LATER
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.errors import GatewayError, storage_failed
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.builder import construct
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.jsonmap import Unmappable, decode
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.scheduled.message import ScheduledMessage

PAGE = (100, 1000)  # messages of one answer: by default, at most
ENOUGH = 1 << 20  # characters of the bodies of one page: it ends there, and the next one goes on


class ScheduledResource(RestResource):
    """Base of the two. `?of=` names the account; the answer is JSON, whatever Accept says."""

    ignored_fields = frozenset({"Accept"})
    takes_foreign = False
    elsewhere = NOT_LATER

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> NoReturn:
        try:
            value = self.show(self.owner())
        except StorageError as e:
            self.fail_for(storage_failed(e))
        raise Stop(construct({"Content-Type": JSON, "Cache-Control": "no-store"}, dump_json(value), 200))

    def show(self, owner: JID) -> Any:
        """The body. May raise StorageError."""
        raise NotImplementedError

    def owner(self) -> JID:
        """Whose messages: the caller's, or those that `?of=` names, for the component and for administrators."""
        named = self.request.args.get("of")
        if named is None:
            return self.caller.jid.bare
        try:
            owner = parse_jid(named).bare
        except InvalidJID as e:
            self.fail(failure("to", error=f"of: name an account of this domain ({e})"))
        if owner != self.caller.jid.bare and not self.caller.admin and self.caller.kind is not CallerKind.COMPONENT:
            self.fail(failure("scheduled_of", error=f"of: these credentials are those of {self.caller.jid}"))
        return owner


class ScheduledList(ScheduledResource):
    """`GET /rest/scheduled?max=100&after=ID`: the next first."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def show(self, owner: JID) -> Any:
        limit = self._max()
        every = self.gateway.parts.scheduled.all(owner)
        shown: list[dict[str, Any]] = []
        left = ENOUGH
        for message in every[self._start(every) :][:limit]:
            left -= len(message.body)
            if shown and left < 0:
                break
            shown.append(described(message))
        return {"count": len(every), "scheduled": shown}

    def _max(self) -> int:
        written = self.request.args.get("max", str(PAGE[0]))
        if not (written.isascii() and written.isdigit() and 1 <= int(written[:9]) <= PAGE[1]):
            self.fail(failure("parse", error=f"max={written[:20]!r}", remedy=f"write a whole number from 1 to {PAGE[1]}"))
        return int(written[:9])

    def _start(self, every: list[ScheduledMessage]) -> int:
        after = self.request.args.get("after")
        if not after:
            return 0
        place = next((n for n, message in enumerate(every) if message.id == after), None)
        if place is None:
            self.fail(failure("scheduled", error=f"after={after[:60]!r}"))
        return place + 1


class ScheduledOne(ScheduledResource):
    """`/rest/scheduled/{id}`."""

    def allowed_methods(self) -> list[str]:
        return ["DELETE", "GET", "HEAD", "OPTIONS"]

    def show(self, owner: JID) -> Any:
        message = self.gateway.parts.scheduled.get(owner, self.args["id"])
        if message is None:
            self.fail(failure("scheduled"))
        return described(message) | _stanza_of(message)

    def delete_resource(self) -> bool:
        try:
            removed = self.gateway.parts.scheduled.remove(self.owner(), self.args["id"])
        except StorageError as e:
            self.fail_for(storage_failed(e))
        except GatewayError as e:
            self.fail_for(e)
        if not removed:
            self.fail(failure("scheduled"))
        return True


def described(message: ScheduledMessage) -> dict[str, Any]:
    """A message as it stands in answers."""
    times = {"at": write_datetime(message.at), "made": write_datetime(message.made)}
    return {"id": message.id, **times, "to": [*message.to], "hook": message.hook, "body": message.body}


def _stanza_of(message: ScheduledMessage) -> dict[str, Any]:
    if not message.stanza:
        return {}
    try:
        return {"stanza": decode(parse_stored(message.stanza))}
    except Unmappable:  # it has a container with JSON that is none, which can be sent
        return {}
