"""What the connections of one process are served with: the application, the settings, the log, and how many there are."""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any

from xmpp_rest.answered import Answered, Answers, describe, path_of
from xmpp_rest.request_notes import OTHER, new_id, on_behalf_of
from xmpp_rest.serving.client_socket import ClientSocket, TLSSocket
from xmpp_rest.serving.connection import Connection
from xmpp_rest.serving.environ import make_environ
from xmpp_rest.serving.exchange import WSGI, Exchange
from xmpp_rest.serving.hooks import RequestHooks
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.loop import Loop
from xmpp_rest.serving.reading import RequestReader, head_parser_of
from xmpp_rest.serving.request import BadRequest, Request
from xmpp_rest.serving.response_writer import PLAIN, ResponseWriter, plain_http_page, refusal_page
from xmpp_rest.serving.unserved import Unserved
from xmpp_rest.serving.wheel import Wheel


class Service:
    """Serves connections. `freed`: called when there is room for another one; `spent`: when as many requests were served as are to be."""

    def __init__(
        self,
        cfg: Any,
        log: Any,
        app: WSGI,
        loop: Loop,
        tls: ssl.SSLContext | None,
        freed: Callable[[], None],
        spent: Callable[[], None],
        most: int,
        hooks: RequestHooks,
        answers: Answers,
    ) -> None:
        """`cfg` and `log`: gunicorn's; `most`: requests to be served; `answers`: whom each answer is told."""
        self.loop = loop
        self.app = app
        self.wheel: Wheel[Connection] = Wheel()
        self.unserved = Unserved()
        self.keep_alive = float(cfg.keepalive)
        self.connections: set[Connection] = set()
        self._cfg = cfg
        self._log = log
        self._tls = tls
        self._freed = freed
        self._spent = spent
        self._most = most
        self._hooks = hooks
        self._answers = answers
        self._served = 0
        self._stopping = False
        self._limits = Limits.of(cfg)
        self._head_parser = head_parser_of(cfg, self._limits, log)
        self._room = cfg.worker_connections
        loop.every_second(self.wheel.turn)

    # connections

    @property
    def has_room(self) -> bool:
        """Whether another connection may be taken."""
        return len(self.connections) < int(self._room)

    @property
    def alive(self) -> bool:
        """Whether connections are kept alive now."""
        return not self._stopping and self.keep_alive > 0 and self.has_room

    def accept(self, sock: socket, peer: Any, address: Any) -> None:
        """Serve a connection."""
        try:
            if sock.family in (AF_INET, AF_INET6):
                sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            client = ClientSocket(sock) if self._tls is None else TLSSocket(sock, self._tls, lambda: self._refusal_of_plain(peer))
            connection = Connection(self, client, peer, address)
            connection.open()
        except OSError as e:  # the client is gone already
            self._log.debug("a connection ended before it began: %s", e)
            sock.close()
            return
        self.connections.add(connection)

    def relieve(self) -> None:
        """Close the connections that are only kept alive."""
        for connection in tuple(self.connections):
            connection.close_if_idle(0, fresh=False)

    def stop(self) -> None:
        """Keep no connection alive from now on: each is told so by its next answer."""
        self._stopping = True

    def close_idle(self, seconds: float) -> None:
        """Close all connections that have waited for a request for so long."""
        for connection in tuple(self.connections):
            connection.close_if_idle(seconds, fresh=True)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        was_full = not self.has_room
        self.connections.discard(connection)
        if was_full:
            self._freed()

    # requests

    def reader(self, peer: Any, more: Callable[[], None]) -> RequestReader:
        """What reads the requests of a new connection."""
        return RequestReader(self._limits, self._head_parser, peer, more)

    def exchange(self, connection: Connection, request: Request) -> Exchange:
        """What serves a request."""
        return Exchange(self, connection, request)

    def environ(self, connection: Connection, request: Request) -> dict[str, Any]:
        """The environ of a request."""
        return make_environ(request, connection.peer, connection.address, self._cfg, connection.base)

    def begins(self) -> None:
        """A request is served. After as many as gunicorn's `max_requests` says, the process ends."""
        self._served += 1
        if self._served == self._most:
            self._spent()

    def before(self, request: Request, connection: Connection) -> None:
        """Call gunicorn's hook for requests that begin. Raises what it raises."""
        self._hooks.before(request, connection.peer)

    def served(
        self, request: Request, connection: Connection, environ: dict[str, Any], answer: ResponseWriter | None, times: tuple[float, float]
    ) -> None:
        """Tell the observers, write the line of gunicorn's access log, if there is one, and call its hook for requests that have ended."""
        if answer is not None:
            begun, headed = times
            known = environ or self.environ(connection, request)  # it failed before it was made
            self._answers.tell(describe(known, answer.code, begun, headed, (request.body.received, answer.sent)))
            if self._log.access_log_enabled:
                self._log.access(answer, request.head.fields, known, timedelta(seconds=time.monotonic() - begun))
        self._hooks.after(request, connection.peer, environ, answer)

    def failed(self, request: Request) -> None:
        """Log the current exception."""
        head = request.head
        self._log.exception("Error handling request %s %s", head.method, path_of({"RAW_URI": head.target}), exc_info=sys.exc_info())

    def refusal(self, connection: Connection, error: BadRequest, request: Request | None = None) -> bytes:
        """The answer to what is not a request, or to one that cannot be served; the observers are told."""
        peer = _address(connection.peer)
        request_id = new_id()
        with on_behalf_of(request_id):
            self._log.warning("Invalid request from ip=%s: %d %s", peer, error.status, error.logged)
        head, page = refusal_page(error, request_id)
        method, path = (request.head.method, path_of({"RAW_URI": request.head.target})) if request is not None else ("", "")
        self._answers.tell(Answered(OTHER, method, path, error.status, 0.0, 0.0, False, 0, len(page), None, peer, "", request_id))
        return head + page

    def _refusal_of_plain(self, peer: Any) -> bytes:
        """The answer to a client that speaks no TLS; the observers are told."""
        request_id = new_id()
        self._answers.tell(Answered(OTHER, "", "", 400, 0.0, 0.0, False, 0, len(PLAIN), None, _address(peer), "", request_id))
        return plain_http_page(request_id) + PLAIN


def _address(peer: Any) -> str:
    return peer[0] if isinstance(peer, tuple) else ""
