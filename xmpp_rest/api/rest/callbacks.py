"""`/rest/callbacks`: the state of callbacks, their dead letters, and their replay. For administrators."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

from drivers import ItemNotFound, StorageError
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.errors import GatewayError, storage_failed
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jsonmap import Unmappable, decode
from xmpp_rest.protocol.strict_json import BadJSON, read_json
from xmpp_rest.service.callbacks.dead_letters import DeadLetter
from xmpp_rest.service.callbacks.queue import CallbackQueue

log = logging.getLogger("xmpp_rest.callbacks")
PAGE = (100, 1000)  # dead letters of one answer: by default, at most


class CallbackResource(RestResource):
    """Base of the three. `queue` is that of the one that the path names."""

    queue: CallbackQueue
    takes_foreign = False

    def refuse_elsewhere(self, text: str) -> NoReturn:
        self.fail(failure("admin"))

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def forbidden(self) -> bool:
        if super().forbidden():
            return True
        if self._denial is None and self.request.method != "OPTIONS" and not self.caller.admin:
            self.fail(failure("admin"))
        return False

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def resource_exists(self) -> bool:
        queue = self.gateway.parts.callbacks.queues.get(self.args["name"])
        if queue is None:
            names = ", ".join(sorted(self.gateway.parts.callbacks.queues)) or "none"
            self.fail(failure("callback", remedy=f"there are these sections [callback.NAME]: {names}"))
        self.queue = queue
        return True

    def allow_missing_post(self) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        try:
            return self.show()
        except ItemNotFound as e:
            self.fail(failure("dead", error=str(e)))
        except StorageError as e:
            self.fail_for(storage_failed(e))
        except GatewayError as e:
            self.fail_for(e)

    def show(self) -> dict[str, Any]:
        """The body. May raise StorageError, GatewayError."""
        raise NotImplementedError


class CallbackList(CallbackResource):
    """`GET /rest/callbacks`"""

    def resource_exists(self) -> bool:
        return True

    def show(self) -> dict[str, Any]:
        now = self.gateway.parts.callbacks.describe_all()
        queues = self.gateway.parts.callbacks.queues
        return {"callbacks": [_described(queue) | now[name] for name, queue in queues.items()]}


class DeadLetterList(CallbackResource):
    """`GET /rest/callbacks/{name}/dead?max=100&after=ID`: oldest first."""

    def show(self) -> dict[str, Any]:
        found = self.queue.dead.find(self.queue.name, after=self.request.args.get("after") or None, limit=self._max())
        letters = [_letter(letter) for letter in found]
        return {"callback": self.queue.name, "count": self.queue.dead.count(self.queue.name), "dead": letters}

    def _max(self) -> int:
        written = self.request.args.get("max", str(PAGE[0]))
        if not (written.isascii() and written.isdigit() and 1 <= int(written[:9]) <= PAGE[1]):
            self.fail(failure("parse", error=f"max={written[:20]!r}", remedy=f"write a whole number from 1 to {PAGE[1]}"))
        return int(written)


class Replay(CallbackResource):
    """`POST /rest/callbacks/{name}/replay`: `{"ids": […]}`, or no body for all that there are now."""

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST"]

    def content_types_accepted(self) -> list[tuple[Any, str]]:
        if not self.request.environ.get("CONTENT_TYPE"):
            return [("*", "to_all")]
        return [(("application", "json", "*"), "to_some")]

    def to_all(self) -> bool:
        if self.body():
            self.fail(failure("mediatype"))
        return self._replay(None)

    def to_some(self) -> bool:
        return self._replay(self._ids(self.body()))

    def _replay(self, ids: list[str] | None) -> bool:
        try:
            replayed = self.gateway.parts.callbacks.replay_letters(self.queue.name, ids)
            left = self.queue.dead.count(self.queue.name)
        except GatewayError as e:
            self.fail_for(e)
        except StorageError as e:
            self.fail_for(storage_failed(e))
        self.set_body({"callback": self.queue.name, "replayed": replayed, "left": left})
        return True

    def _ids(self, body: bytes) -> list[str] | None:
        try:
            obj = read_json(body) if body else {}
        except BadJSON as e:
            self.fail(failure("parse", error=str(e), type=JSON))
        ids = obj.get("ids") if isinstance(obj, dict) and obj.keys() <= {"ids"} else ()
        if ids is None:
            return None
        if not (isinstance(ids, list) and 0 < len(ids) <= PAGE[1] and all(isinstance(i, str) for i in ids)):
            self.fail(failure("parse", error="no list of ids", remedy=f'write {{"ids": ["msg_…"]}}, at most {PAGE[1]}; {{}} for all'))
        return ids


def _described(queue: CallbackQueue) -> dict[str, Any]:
    settings = queue.settings
    return {
        "name": queue.name,
        "address": [str(a) for a in settings.address],
        "kinds": sorted(settings.kinds),
        "events": sorted(settings.events),
        "keep": settings.keep,
        "dead": queue.dead.count(queue.name),
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    delivery = letter.delivery
    try:
        stanza = decode(delivery.stanza)
    except Unmappable:
        stanza = None
    except Exception:  # perhaps it is here for that very reason; the XML is there to be read
        log.exception("dead letter %s has no JSON", delivery.id)
        stanza = None
    return {
        "id": delivery.id,
        "from": str(delivery.sender),
        "to": str(delivery.to),
        "since": write_datetime(delivery.since),
        "given_up": write_datetime(letter.when),
        "attempts": letter.attempts,
        "reason": letter.reason,
        "request_id": delivery.request_id,
        "stanza": stanza,
        "xml": serialise(delivery.stanza),
    }
