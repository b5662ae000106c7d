"""`Idempotency-Key`: a repeated request, after a lost answer, sends nothing a second time.

The first answer is kept once something was sent; a request that was refused before that may be made again with the same key.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import NoReturn

from flask import Response

from drivers import StorageError
from xmpp_rest.api.requestid import FIELD as FIELD_OF_ID
from xmpp_rest.api.requestid import request_id
from xmpp_rest.api.rest.addressing import Addressed
from xmpp_rest.api.rest.errors import RestFailure, failure
from xmpp_rest.api.rest.send import Send
from xmpp_rest.errors import RETRY_AFTER, storage_failed
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import media_type
from xmpp_rest.service.messages.idempotency import Answer, Claim, OtherRequest, StillRunning

log = logging.getLogger(__name__)

FIELD = "HTTP_IDEMPOTENCY_KEY"
MAX_KEY = 255
_BARE = re.compile(r"[!#-+\--\[\]-~]+")  # visible ASCII but for quotation mark, comma and backslash
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')  # RFC 9651 §3.3.3, as the draft has it
_UNSENT = ("conflict", "resource-constraint")  # of a 500: another iq has this id, or too many wait
_OWN_FIELDS = frozenset(("content-length", "date"))  # each response has its own


def read_key(field: str) -> str | None:
    """The key that a field holds, quoted or not; None for what is none."""
    text = field.strip(" \t")
    if match := _STRING.fullmatch(text):
        text = re.sub(r"\\(.)", r"\1", match[1])
    elif not _BARE.fullmatch(text):
        return None
    return text if len(text) <= MAX_KEY else None


class SendOnce(Send):
    """Sends a stanza, once for each Idempotency-Key of the caller."""

    _seen: bytes = b""
    _failed: RestFailure | None = None

    def body(self) -> bytes:
        self._seen = super().body()
        return self._seen

    def process(self, addressed: Addressed) -> bool:
        field = self.request.environ.get(FIELD)
        if field is None or self.request.method != "POST":
            return super().process(addressed)
        claim = self._claim(field)
        try:
            super().process(addressed)
        except Stop as stop:
            self._settle(claim, stop.response if isinstance(stop.response, Response) else None)
            raise
        except BaseException:
            self._release(claim)
            raise
        self.response.status_code = 200
        self._settle(claim, self.response)
        return True

    def fail(self, error: RestFailure, **fields: str) -> NoReturn:
        self._failed = error
        super().fail(error, **fields)

    def _claim(self, field: str) -> Claim:
        """The right to answer; Stop with the answer, if there is one."""
        key = read_key(field)
        if key is None:
            self.fail(failure("idempotency_key", remedy=f"write 1 to {MAX_KEY} visible ASCII characters, such as a UUID"))
        try:
            begun = self.gateway.parts.idempotency.begin(self.caller.jid, key, self._fingerprint())
        except OtherRequest:
            self.fail(failure("idempotency_reused"))
        except StillRunning:
            self.fail(failure("idempotency_running"), **{"Retry-After": str(RETRY_AFTER)})
        except StorageError as e:
            self.fail_for(storage_failed(e, "The storage failed; nothing was sent"))
        if not isinstance(begun, Claim):
            self._replay(begun)
        return begun

    def _replay(self, answer: Answer) -> NoReturn:
        if answer.body is None:
            self.fail(failure("idempotency_unkept", status=answer.status))
        response = Response(answer.body, answer.status)
        del response.headers["Content-Type"]  # a 202 has none
        for name, value in answer.fields:
            response.headers[name] = value
        response.headers["Idempotent-Replayed"] = "true"
        raise Stop(response)

    def _fingerprint(self) -> str:
        kind = media_type(self.request.environ.get("CONTENT_TYPE"))
        told = hashlib.sha256(f"{self.request.path}\n{kind}\n".encode("utf-8", "surrogatepass"))
        told.update(self._seen)
        return told.hexdigest()

    def _settle(self, claim: Claim, response: Response | None) -> None:
        if response is None or not self._sent(response.status_code):
            self._release(claim)
            return
        fields = [(n, v) for n, v in response.headers if n.lower() not in _OWN_FIELDS] + [(FIELD_OF_ID, request_id())]
        try:
            self.gateway.parts.idempotency.finish(claim, Answer(response.status_code, fields, response.get_data()))
        except StorageError as e:  # the stanza is on its way: the client has to know
            log.error("the answer to a request with an Idempotency-Key cannot be kept: %s", e)

    def _sent(self, status: int) -> bool:
        """Whether a request with this answer sent anything, as far as is known."""
        if self._failed is None:
            return status < 300
        return self._failed.unsure or (status == 500 and self._failed.condition not in _UNSENT)

    def _release(self, claim: Claim) -> None:
        try:
            self.gateway.parts.idempotency.release(claim)
        except StorageError as e:
            log.error("an Idempotency-Key cannot be released; it is until its time is over: %s", e)
