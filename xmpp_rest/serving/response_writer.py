"""The bytes of one answer: the head with the first part of the body, and the framing of what follows (PEP 3333, RFC 9112 §7)."""

from __future__ import annotations

import html
import logging

from xmpp_rest.serving.request import BadRequest, Field, RequestHead
from xmpp_rest.serving.response import ResponseHead

log = logging.getLogger("xmpp_rest.server")

END = b"0\r\n\r\n"
PLAIN = b"This port speaks TLS: the address begins with https://\n"


class ResponseWriter:
    """One answer to a request. `keep_alive`: whether the server would serve another one on the connection."""

    def __init__(self, request: RequestHead, status: str, fields: list[Field], *, keep_alive: bool) -> None:
        """Raises what ResponseHead raises."""
        self._head = ResponseHead(status, fields, request.method, request.version)
        self._keep_alive = keep_alive and request.keeps_alive and self._head.delimited
        self._warned = False
        self.sent = 0
        """Bytes of the body so far."""
        self.begun = False
        """Whether anything was sent."""

    # for gunicorn's access log

    @property
    def status(self) -> str:
        """The status with its phrase."""
        return self._head.status

    @property
    def code(self) -> int:
        """The status."""
        return self._head.code

    @property
    def headers(self) -> list[Field]:
        """The fields of the application."""
        return self._head.fields

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow: it was said so, and the body has the length that was said."""
        head = self._head
        return self._keep_alive and (head.length is None or head.omits_body or self.sent == head.length)

    def part(self, data: bytes) -> bytes:
        """The bytes to send for a part of the body, which is not empty. Raises TypeError: it is not bytes."""
        if not isinstance(data, bytes):
            raise TypeError(f"{data!r} is not a byte")
        head = self._head
        if head.omits_body:
            if not self._warned and self.status[:3] in ("204", "304"):
                self._warned = True
                log.warning("an answer with the status %s has no body: what the application gives is not sent", self.status)
            return self.head()
        if head.length is not None and self.sent + len(data) > head.length:
            data = data[: head.length - self.sent]  # never more than was said
        self.sent += len(data)
        if head.chunked and data:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        return self.head() + data

    def end(self) -> bytes:
        """The bytes to send after the last part."""
        return self.head() + END if self._head.chunked else self.head()

    def head(self) -> bytes:
        """The head, the first time; after that, nothing."""
        if self.begun:
            return b""
        self.begun = True
        return self._head.serialise(keep_alive=self._keep_alive)


def plain_http_page(request_id: str) -> bytes:
    """The head of the answer to plain HTTP where TLS is spoken; the body is PLAIN."""
    content = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(PLAIN)}\r\n"
    return f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n{content}X-Request-Id: {request_id}\r\n\r\n".encode("latin-1")


def refusal_page(error: BadRequest, request_id: str) -> tuple[bytes, bytes]:
    """Head and body of the answer to what is not a request, as gunicorn gives it."""
    page = f"""<html>
  <head>
    <title>{error.reason}</title>
  </head>
  <body>
    <h1><p>{error.reason}</p></h1>
    {html.escape(str(error))}
  </body>
</html>
""".encode("latin-1", "replace")
    fields = f"Connection: close\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nX-Request-Id: {request_id}\r\n"
    return f"HTTP/1.1 {error.status} {error.reason}\r\n{fields}\r\n".encode("latin-1"), page
