"""A request as it was read from a connection."""

from __future__ import annotations

from typing import Any

from xmpp_rest.serving.request_body import Body

AHEAD = 64 << 10  # bytes of a body that are waited for before a request is served
Version = tuple[int, int]
Field = tuple[str, str]
Peer = Any  # as socket.accept gives it: a tuple, or the path of a Unix socket


class BadRequest(Exception):
    """Bytes that are not a request that is served: answered with `status`, then the connection is closed.

    `reason` is the phrase of the status line; the text of the exception is a sentence for the answer's body.
    `logged`: what the log says, which is the sentence unless that repeats what the client has sent, and so perhaps a secret.
    """

    def __init__(self, status: int, reason: str, sentence: str, logged: str = "") -> None:
        super().__init__(sentence)
        self.logged = logged or sentence
        self.status = status
        self.reason = reason


class RequestHead:
    """The head of a request.

    `target`: as it was sent, in Latin-1, as are the values of `fields`, whose names are in upper case.
    `scheme`: http or https. `length`: of Content-Length; None: there is none. `keeps_alive`: RFC 9112 §9.3.
    `expects_continue`: RFC 9110 §10.1.1; another expectation is refused while the head is parsed.
    """

    __slots__ = ("chunked", "expects_continue", "fields", "keeps_alive", "length", "method", "scheme", "target", "version")

    def __init__(
        self,
        method: str,
        target: str,
        version: Version,
        fields: list[Field],
        *,
        scheme: str,
        keeps_alive: bool,
        expects_continue: bool,
        length: int | None,
        chunked: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.scheme = scheme
        self.keeps_alive = keeps_alive
        self.expects_continue = expects_continue
        self.length = length
        self.chunked = chunked


class Request:
    """A head, and the body, which may still be coming: `body.complete`.

    `proxy`: the environ variables of the PROXY protocol header with which the connection began, if there was one.
    """

    __slots__ = ("body", "head", "proxy")

    def __init__(self, head: RequestHead, body: Body, proxy: dict[str, str] | None) -> None:
        self.head = head
        self.body = body
        self.proxy = proxy

    @property
    def is_servable(self) -> bool:
        """Whether all of it is there, or enough to begin with; or there will not be more."""
        return self.body.over or self.body.buffered >= AHEAD or self.head.expects_continue
