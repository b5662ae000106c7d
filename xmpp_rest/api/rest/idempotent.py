"""`Idempotency-Key`: a repeated request, after a lost answer, sends nothing a second time.

The first answer is kept once something was sent; a request that was refused before that may be made again with the same key.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from typing import NoReturn, Protocol

from flask import Request, Response

from drivers import StorageError
from xmpp_rest.api.requestid import request_id
from xmpp_rest.api.rest.errors import RestFailure, failure
from xmpp_rest.api.rest.resource import Failed
from xmpp_rest.api.rest.time_fields import wanted_time
from xmpp_rest.auth.caller import Caller
from xmpp_rest.errors import RETRY_AFTER, GatewayError, storage_failed
from xmpp_rest.http.resource import Accepted, Stop
from xmpp_rest.protocol.codecs import media_type
from xmpp_rest.request_notes import REQUEST_ID
from xmpp_rest.service.accounts.ports import AccountServices
from xmpp_rest.service.messages.idempotency import Answer as KeptAnswer
from xmpp_rest.service.messages.idempotency import Claim, OtherRequest, StillRunning

log = logging.getLogger("xmpp_rest.link")

Answer = bool | Accepted
"""What an accept callback of a stanza returns."""

KEY_FIELD = "HTTP_IDEMPOTENCY_KEY"
STANZA_ID = "Stanza-Id"
NICK = "Nick"
"""How a room calls who speaks in it, percent-encoded."""
MAX_KEY = 255
_BARE = re.compile(r"[!#-+\--\[\]-~]+")  # visible ASCII but for quotation mark, comma and backslash
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')  # RFC 9651 §3.3.3, as the draft has it
_UNSENT = ("conflict", "resource-constraint")  # of a 500: another iq has this id, or too many wait
_OWN_FIELDS = frozenset(("content-length", "date", "ratelimit", "ratelimit-policy"))  # each response has its own


class KeyedResource(Protocol):
    """What answers a request once. `received`: what tells the request from others with the same key, beside its path and type."""

    caller: Caller
    request: Request
    received: bytes

    @property
    def services(self) -> AccountServices:
        """What is done for the caller's account."""

    @property
    def response(self) -> Response:
        """The answer that is made."""

    def fail(self, error: RestFailure, **fields: str) -> NoReturn:
        """End the request with this error, as Failed."""

    def fail_for(self, error: GatewayError) -> NoReturn:
        """End the request with a service's error, as Failed."""


def read_key(field: str) -> str | None:
    """The key that a field holds, quoted or not; None for what is none."""
    text = field.strip(" \t")
    if match := _STRING.fullmatch(text):
        text = re.sub(r"\\(.)", r"\1", match[1])
    elif not _BARE.fullmatch(text):
        return None
    return text if len(text) <= MAX_KEY else None


def answer_once(resource: KeyedResource, field: str, send: Callable[[], Answer]) -> Answer:
    """What `send` answers, unless a request with the key in this field was answered before: Stop with that answer, or with an error."""
    claim = _claim(resource, field)
    try:
        answer = send()
    except Stop as stop:
        sent = _sent(stop.error) if isinstance(stop, Failed) else True
        _settle(resource, claim, stop.response if sent and isinstance(stop.response, Response) else None)
        raise
    except BaseException:
        _release(resource, claim)
        raise
    _settle(resource, claim, _kept(resource.response, answer))
    return answer


def _claim(resource: KeyedResource, field: str) -> Claim:
    """The right to answer; Stop with the answer, if there is one."""
    key = read_key(field)
    if key is None:
        resource.fail(failure("idempotency_key", remedy=f"write 1 to {MAX_KEY} visible ASCII characters, such as a UUID"))
    try:
        begun = resource.services.answers.begin(resource.caller.jid, key, _fingerprint(resource))
    except OtherRequest:
        resource.fail(failure("idempotency_reused"))
    except StillRunning:
        resource.fail(failure("idempotency_running"), **{"Retry-After": str(RETRY_AFTER)})
    except StorageError as e:
        resource.fail_for(storage_failed(e, "The storage failed; nothing was sent"))
    if not isinstance(begun, Claim):
        _replay(resource, begun)
    return begun


def _replay(resource: KeyedResource, answer: KeptAnswer) -> NoReturn:
    if answer.body is None:
        resource.fail(failure("idempotency_unkept", status=answer.status))
    response = Response(answer.body, answer.status)
    del response.headers["Content-Type"]  # a 202 has none
    for name, value in answer.fields:
        response.headers[name] = value
    response.headers["Idempotent-Replayed"] = "true"
    raise Stop(response)


def _fingerprint(resource: KeyedResource) -> str:
    kind = media_type(resource.request.environ.get("CONTENT_TYPE"))
    at = wanted_time(resource.request)
    told = hashlib.sha256(f"{resource.request.path}\n{kind}\n{at}".encode("utf-8", "surrogatepass"))
    told.update(resource.received)
    return told.hexdigest()


def _sent(error: RestFailure) -> bool:
    """Whether a request that failed so sent anything, as far as is known."""
    return error.unsure or (error.status == 500 and error.condition not in _UNSENT)


def _kept(response: Response, answer: Answer) -> Response:
    """The response that a replay repeats: of a 202 the id, and the nick, alone."""
    if not isinstance(answer, Accepted):
        response.status_code = 200
        return response
    kept = Response(b"", 202, {name: value for name, value in response.headers if name in (STANZA_ID, NICK)})
    del kept.headers["Content-Type"]
    return kept


def _settle(resource: KeyedResource, claim: Claim, response: Response | None) -> None:
    if response is None:
        _release(resource, claim)
        return
    fields = [(n, v) for n, v in response.headers if n.lower() not in _OWN_FIELDS] + [(REQUEST_ID, request_id())]
    try:
        resource.services.answers.finish(claim, KeptAnswer(response.status_code, fields, response.get_data()))
    except StorageError as e:  # the stanza is on its way: the client has to know
        log.error("the answer to a request with an Idempotency-Key cannot be kept: %s", e)


def _release(resource: KeyedResource, claim: Claim) -> None:
    try:
        resource.services.answers.release(claim)
    except StorageError as e:
        log.error("an Idempotency-Key cannot be released; it is until its time is over: %s", e)
