"""Takes one request to a hook: reads it, has it handled, and answers as the API of its format does."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Request, Response

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.answers import Answering, Asked, HookAnswer
from xmpp_rest.api.hooks.bodies import HookBody, media_type, read_value, received
from xmpp_rest.api.hooks.failures import EXPECTED, Failure, HookFailure, failure_of, refused
from xmpp_rest.api.hooks.formats import answering
from xmpp_rest.api.hooks.incoming import fields_of, shown_fields, shown_query, time_in
from xmpp_rest.api.hooks.names import name_in, name_of_alerts
from xmpp_rest.api.hooks.unknown import note_wrong
from xmpp_rest.api.own_address import base_path
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.service.hooks.choosing import choose_format, event_of
from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.once import PATIENCE, Once
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.signatures import is_signed
from xmpp_rest.service.scheduled.times import BadTime, read_time
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.hooks")

READ = "xmpp_rest.hook_body"
"""In an environ: the body, where it was read already."""
REPLAYED = {"Idempotent-Replayed": "true"}


class TakenRequest:
    """One request to a hook that is known.

    `path`: what follows the token; `fixed`: the format, whatever path and hook say; `token`: as of `HookRequests.handle`.
    """

    def __init__(self, gateway: Gateway, request: Request, hook: Hook, path: str = "", fixed: str = "", token: str = "") -> None:
        self.gateway = gateway
        self.request = request
        self.hook = hook
        self.fields = fields_of(request.environ)
        self.query: Mapping[str, str] = request.args
        self._path = path
        self._fixed = fixed
        self._token = token
        self._limits: dict[str, str] = {}
        self._told = ""  # the format, as far as it is known
        self._value: Any = None
        self._told = self._choose(None)

    def answer(self) -> Response:
        """Handle the request, and answer it."""
        try:
            answer = self._handled()
        except EXPECTED as e:
            answer = self._failed(failure_of(e))
        except Exception:
            log.exception("a request to the hook %s failed", self.hook.name)
            answer = self._failed(HookFailure(Failure.INTERNAL, "The gateway has met an error of its own; its log says more"))
        self._look()
        fields = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} | self._limits | dict(answer.fields)
        response = Response(answer.body, answer.status, fields, content_type=answer.type)
        if not answer.type:
            del response.headers["Content-Type"]
        return response

    def _look(self) -> None:
        """Tell of the limits of the hook where the request has cost nothing."""
        if not self._limits:
            with suppress(GatewayError):
                self._limits.update(self.gateway.parts.hook_requests.look(self.hook, self._token))

    def read(self, body: bytes) -> HookBody:
        """What the body says. Raises BadBody."""
        only_text = (self._fixed or self.hook.format) == "text"
        return read_value(body, str(self.fields.get("content-type", "")), only_text=only_text)

    def body(self) -> bytes:
        """The body as it came, of a type that can be read. Raises TooLarge, UnknownType."""
        data: bytes | None = self.request.environ.get(READ)
        if data is None:
            data = received(self.request, self.gateway.settings.hooks.size_limit)
        media_type(str(self.fields.get("content-type", "")))
        return data

    def _handled(self) -> HookAnswer:
        try:
            body = self.body()
        except EXPECTED:
            self._count("invalid")
            raise
        self._require_signature(self.signed(body))
        delivered = self._deliver(body)
        if delivered.results and not delivered.anybody:
            raise refused(delivered.results)
        answer = self._answering.delivered(self._asked, delivered)
        return answer._replace(fields={**answer.fields, **REPLAYED}) if delivered.replayed else answer

    def signed(self, body: bytes) -> bytes:
        """What a signature is made of."""
        return body

    def _require_signature(self, signed: bytes) -> None:
        if self.hook.secret is None or is_signed(self.hook.secret, self.fields, signed, time.time()):
            return
        self._count("unsigned")
        wait = note_wrong(self.gateway, self.request)
        if wait:
            raise HookFailure(Failure.LIMITED, "Too many requests with wrong signatures; try again later", retry_after=wait)
        raise HookFailure(Failure.FORBIDDEN, "The request is not signed by the secret of the hook")

    def _deliver(self, body: bytes) -> Delivered:
        payload, error = self._payload(body)
        at = None
        try:
            at = self._time()
        except BadTime as e:
            error = error or e

        def read() -> Payload:
            if error is not None:
                raise error
            assert payload is not None
            return payload

        wait = Wait(PATIENCE, ClientConnection(self.request.environ).gone)
        once = self._once(body, payload)
        return self.gateway.parts.hook_requests.handle(
            self.hook, read, once=once, at=at, limited=self._limits.update, wait=wait, token=self._token
        )

    def _payload(self, body: bytes) -> tuple[Payload | None, Exception | None]:
        """What the request says; or why it cannot be read, which is told once it has been counted."""
        try:
            read = self.read(body)
            self._value, self._told = read.value, self._choose(read.value)
        except EXPECTED as e:
            return None, e
        secret = self.hook.secret
        headers, query = shown_fields(self.fields, secret), shown_query(self.query, secret)
        return Payload(self._told, read.value, event_of(self._told, self.fields), headers, query, read.files), None

    def _choose(self, value: Any) -> str:
        return self._fixed or choose_format(self._path, self.hook, self.fields, value)

    def _time(self) -> float | None:
        text = time_in(self.fields, self.query)
        return read_time(text, time.time(), self.gateway.settings.limits.schedule_days) if text else None

    def _once(self, body: bytes, payload: Payload | None) -> Once | None:
        named = name_in(self.fields, self.signed(body), whole=self._told == "apprise")
        return named or (name_of_alerts(payload.format, payload.value) if payload is not None else None)

    @property
    def _answering(self) -> Answering:
        return answering(self._told)

    @property
    def _asked(self) -> Asked:
        base = base_path(self.request, self.gateway)
        agent, accept = self.fields.get("user-agent", ""), self.fields.get("accept", "")
        return Asked(self.hook, self._told, self._value, agent, accept, base, self.gateway.settings.ntfy.cache)

    def _failed(self, failure: HookFailure) -> HookAnswer:
        answer = self._answering.failed(self._asked, failure)
        fields = {**failure.fields, **answer.fields}
        if answer.status in (429, 503):
            fields.setdefault("Retry-After", str(max(1, failure.retry_after)))
        return answer._replace(fields=fields)

    def _count(self, result: str) -> None:
        self.gateway.parts.hook_requests.count(self.hook, result)


