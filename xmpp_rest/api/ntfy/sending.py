"""Sends what is published: through a hook, or as a message of the caller (hooks §13.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from flask import Request

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.bodies import BadBody
from xmpp_rest.api.hooks.incoming import fields_of, shown_fields, shown_query
from xmpp_rest.api.hooks.names import name_in, name_of_alerts
from xmpp_rest.api.hooks.unknown import note_wrong
from xmpp_rest.api.ntfy.answers import limited_code
from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.messages import TRIGGERED
from xmpp_rest.api.ntfy.publication import Publication
from xmpp_rest.api.ntfy.topics import AccountTopic, HookTopic, Topic
from xmpp_rest.api.rate_limits import take
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.request_notes import note_hook
from xmpp_rest.service.hooks.choosing import event_of
from xmpp_rest.service.hooks.delivered import Delivered, is_for_now
from xmpp_rest.service.hooks.hook import Hook, HookTarget
from xmpp_rest.service.hooks.once import PATIENCE
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.published import PublishedMessage, id_of, short_id
from xmpp_rest.service.hooks.requests import RateExceeded
from xmpp_rest.service.hooks.said import Kind, NothingToSay, Said
from xmpp_rest.service.hooks.signatures import is_signed
from xmpp_rest.service.scheduled.scheduled import StanzaToSchedule
from xmpp_rest.threads.waits import Wait

SetField = Callable[[str, str], None]
SAID_TRIGGERED = {"message": TRIGGERED}


class Publisher:
    """Sends what one request publishes. Methods raise NtfyError, GatewayError, StorageError; then nothing was sent."""

    def __init__(self, gateway: Gateway, request: Request, body: bytes, set_field: SetField) -> None:
        """`body`: as it came; `set_field`: sets a field of the answer."""
        self._body = body
        self._fields = fields_of(request.environ)
        self._gateway = gateway
        self._parts = gateway.parts
        self._request = request
        self._set_field = set_field

    def send(self, topic: Topic, read: Callable[[], Publication]) -> PublishedMessage:
        """The message, as it was sent or will be. `read` raises NtfyError."""
        if isinstance(topic, AccountTopic):
            return self._to_account(topic, read())
        note_hook(topic.hook.name)
        return self._to_hook(topic, read)

    def _to_hook(self, topic: HookTopic, read: Callable[[], Publication]) -> PublishedMessage:
        self._require_signature(topic.hook)
        try:
            wanted: Publication | NtfyError = read()
        except NtfyError as e:  # told once the request has been counted
            wanted = e
        return self._deliver(topic, wanted)

    def _deliver(self, topic: HookTopic, wanted: Publication | NtfyError) -> PublishedMessage:
        hook = topic.hook

        def payload() -> Payload:
            if isinstance(wanted, NtfyError):
                raise wanted
            return self._payload(wanted, hook.secret)

        publication = wanted if isinstance(wanted, Publication) else Publication({})
        wait = Wait(PATIENCE, ClientConnection(self._request.environ).gone)
        try:
            once = name_in(self._fields, self._body) or name_of_alerts(publication.format, publication.value)
            delivered = self._parts.hook_requests.handle(
                hook, payload, once=once, at=publication.at, limited=self._limited, wait=wait, token=topic.token,
                empty=self._payload(Publication(SAID_TRIGGERED), hook.secret),
            )  # fmt: skip
        except BadBody as e:
            raise NtfyError(40000, str(e)) from e
        except RateExceeded as e:
            raise NtfyError(self._limited_code(publication.format), retry_after=e.retry_after) from e
        if delivered.replayed:
            self._set_field("Idempotent-Replayed", "true")
        if delivered.said.kind is Kind.MESSAGE and not delivered.anybody and delivered.due is None:
            raise NtfyError(50301 if is_for_now(delivered.results) else 50201, _why(delivered))
        at = delivered.due.at if delivered.due else delivered.at
        return PublishedMessage(id_of(delivered), at, publication.members or _members(delivered.said))

    def _limited_code(self, format_: str) -> int:
        return limited_code(format_, self._fields.get("user-agent", ""))

    def _limited(self, fields: Mapping[str, str]) -> None:
        for name, value in fields.items():
            self._set_field(name, value)

    def _require_signature(self, hook: Hook) -> None:
        if hook.secret is None or is_signed(hook.secret, self._fields, self._body, time.time()):
            return
        self._parts.hook_requests.count(hook, "unsigned")
        if wait := note_wrong(self._gateway, self._request):
            raise NtfyError(42909, retry_after=wait)
        raise NtfyError(40301, "the request is not signed by the secret of the hook")

    def _payload(self, publication: Publication, secret: str | None) -> Payload:
        headers, query = shown_fields(self._fields, secret), shown_query(self._request.args, secret)
        return publication.payload(event_of(publication.format, self._fields), headers, query)

    def _to_account(self, topic: AccountTopic, publication: Publication) -> PublishedMessage:
        allowance = take(self._request.environ)
        if not allowance.allowed:
            raise NtfyError(self._limited_code(publication.format), retry_after=allowance.retry_after)
        said = self._said(topic, publication)
        sender, identifier = topic.caller.jid, new_id()
        stanza = make("message", child("body", said.text), type_="chat", id_=identifier, from_=str(sender), to_=str(topic.to))
        at = time.time()
        if said.kind is not Kind.MESSAGE:  # a forge asks whether anybody is there
            return PublishedMessage(short_id(identifier), at, SAID_TRIGGERED)
        if publication.at is not None:
            at = self._parts.scheduled.schedule_stanza(StanzaToSchedule(stanza, sender, topic.to), publication.at).at
        elif (refusal := self._parts.sending.send(stanza, sender, topic.to)) is not None:
            raise _refused(condition_of(refusal))
        return PublishedMessage(short_id(identifier), at, publication.members or _members(said))

    def _said(self, topic: AccountTopic, publication: Publication) -> Said:
        try:
            return self._parts.sayings.say(_as_hook(topic), self._payload(publication, None))
        except NothingToSay:
            return self._parts.sayings.say(_as_hook(topic), self._payload(Publication(SAID_TRIGGERED), None))


def _as_hook(topic: AccountTopic) -> Hook:
    """What says something to an account: without a template of its own."""
    return Hook(topic.name, topic.caller.jid, topic.caller.jid, (HookTarget(topic.to, room=False),), 0, 0.0)


def _members(said: Said) -> dict[str, str]:
    told = {"title": said.title, "message": said.message or said.text or TRIGGERED}
    return {name: text for name, text in told.items() if text}


def _refused(error: StanzaError) -> NtfyError:
    return NtfyError(50301 if error.type == "wait" else 50201, error.text or error.condition)


def _why(delivered: Delivered) -> str:
    errors = (result.error for result in delivered.results)
    return ", ".join(dict.fromkeys(error.text or error.condition for error in errors if error is not None))[:500]
