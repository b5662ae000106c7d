"""One request and its answer: calls the application, as a task, and sends what it says (PEP 3333)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol

from xmpp_rest.http.sse import PUSH, PushedBody
from xmpp_rest.request_notes import NOTES, REQUEST_ID
from xmpp_rest.serving.connection import ROOM, Connection
from xmpp_rest.serving.loop import Loop
from xmpp_rest.serving.pushed import PushedAnswer
from xmpp_rest.serving.request import BadRequest, Request
from xmpp_rest.serving.response_writer import ResponseWriter
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.tasks import Task, current_task

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLIENT = "xmpp_rest.client"
"""In the environ: whether the client has gone, as `left`."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Host(Protocol):
    """What exchanges are served with."""

    loop: Loop
    app: WSGI

    @property
    def alive(self) -> bool:
        """Whether connections are kept alive now."""

    def environ(self, connection: Connection, request: Request) -> dict[str, Any]:
        """The environ of a request (PEP 3333)."""

    def begins(self) -> None:
        """A request is served."""

    def before(self, request: Request, connection: Connection) -> None:
        """A request is about to be served. Raises what a hook raises."""

    def refusal(self, connection: Connection, error: BadRequest, request: Request | None = None) -> bytes:
        """The answer to what is not a request, or to one that cannot be served; it is logged."""

    def failed(self, request: Request) -> None:
        """The application, or what it answered, has raised the current exception."""

    def served(
        self, request: Request, connection: Connection, environ: dict[str, Any], answer: ResponseWriter | None, times: tuple[float, float]
    ) -> None:
        """An answer is complete, or as complete as it will be; None: nothing was answered. `times`: of its begin, and its head."""


class Exchange:
    """One request that is served on a connection."""

    def __init__(self, host: Host, connection: Connection, request: Request) -> None:
        self.request = request
        self.keeps_alive = False
        self._host = host
        self._connection = connection
        self._task: Task | None = None
        self._answer: ResponseWriter | None = None
        self._environ: dict[str, Any] = {}
        self._begun = self._headed = 0.0  # monotonic time; the latter for what is pushed
        self._complete = False  # whether all of the answer was sent
        self._continued = not request.head.expects_continue
        self._body: OneShot[bool] | None = None  # given when there is more of it
        self._room: OneShot[bool] | None = None  # given when the client has taken something
        self._pushed: PushedBody | None = None
        self._out: PushedAnswer | None = None

    # on the task

    def perform(self) -> None:
        """Answer. Whatever goes wrong, the connection is told when it is over."""
        self._task = current_task()
        self._begun = time.monotonic()
        try:
            self._host.begins()
            self._host.before(self.request, self._connection)
            self._respond()
        except BaseException as e:
            self._fail(e)
            if not isinstance(e, Exception):
                raise
        finally:
            self._task = None  # it goes on with other work
            if self._out is None:
                self._end(self._complete)

    def _respond(self) -> None:
        environ = self._environ = self._host.environ(self._connection, self.request)
        environ[PUSH] = self.push
        environ[CLIENT] = self._connection
        chunks = self._host.app(environ, self.start_response)
        try:
            for data in chunks:
                if data and not self._write(data):
                    return
            self._finish()
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    def start_response(self, status: str, fields: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        """As PEP 3333 has it. Raises AssertionError, ValueError, TypeError."""
        if self._answer is not None:
            if exc_info is None:
                raise AssertionError("start_response was called already")
            if self._answer.begun:
                raise exc_info[1].with_traceback(exc_info[2])
        body = self.request.body
        # RFC 9110 §10.1.1: who was not told to go on may send the body, or the next request: nobody could tell
        keep_alive = self._host.alive and not body.failed and (self._continued or body.over)
        self._answer = ResponseWriter(self.request.head, status, fields, keep_alive=keep_alive)
        return self._write_old

    def _write_old(self, data: bytes) -> None:
        self._write(data)

    def _answered(self) -> ResponseWriter:
        if self._answer is None:
            raise AssertionError("the application has not called start_response")
        return self._answer

    def _write(self, data: bytes) -> bool:
        """Send a part of the body, after the head; False: the client has gone, and nothing more is wanted."""
        if not self._send(self._answered().part(data)):
            return False
        while self._connection.pending > ROOM:
            self._room = room = OneShot[bool]()
            if self._connection.pending > ROOM:  # it may have been taken meanwhile
                room.wait()
            self._room = None
        return True

    def _send(self, data: bytes) -> bool:
        return not data or self._connection.write(data)

    def _finish(self) -> None:
        answer = self._answered()
        if self._pushed is None:
            self._send(answer.end())
            self._complete = True
            return
        self._connection.write(answer.head())
        self._headed = time.monotonic()
        self._out = PushedAnswer(self._connection, self._pushed, answer, self._end)
        self._out.begin()

    def _fail(self, error: BaseException) -> None:
        """Say so, if nothing was said yet; else the client sees an answer that breaks off."""
        if isinstance(error, BadRequest) and self._answer is None:
            self._send(self._host.refusal(self._connection, error, self.request))
            return
        self._host.failed(self.request)
        if self._answer is None or not self._answer.begun:
            body = b"Internal Server Error"
            fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Connection", "close")]
            if (notes := self._environ.get(NOTES)) is not None:
                fields.append((REQUEST_ID, notes.request_id))
            self._answer = ResponseWriter(self.request.head, "500 Internal Server Error", fields, keep_alive=False)
            self._send(self._answer.part(body) + self._answer.end())
        if self._pushed is not None and self._out is None:
            self._pushed.gone()

    def _end(self, complete: bool) -> None:
        self.keeps_alive = complete and self._answer is not None and self._answer.keeps_alive
        try:
            self._host.served(self.request, self._connection, self._environ, self._answer, (self._begun, self._headed))
        finally:
            self._environ = {}  # which has `push` of this: a cycle, and so the collector's to find, with all that belongs to the request
            self._host.loop.call(self._connection.done)

    # what the application calls

    def push(self, body: PushedBody, patience: float) -> None:
        """Have the body of this answer written by others, once the application has returned.

        `patience`: seconds for the client to take anything of what it is sent.
        """
        self._pushed = body
        self._connection.patience = patience

    def more(self) -> None:
        """Wait for more of the request's body."""
        self._body = came = OneShot[bool]()
        if not self._continued:
            self._continued = True
            self._connection.write(CONTINUE)
        self._host.loop.call(self._connection.proceed)
        if not self.request.body.over:
            came.wait()
        self._body = None

    # what the connection calls

    @property
    def wants_body(self) -> bool:
        """Whether somebody waits for more of the request's body."""
        return self._body is not None and self._body.value is None  # once it is told, it may be long before its thread is free

    def body_came(self) -> None:
        """There is more of the body, or there will not be."""
        self._continued = True
        came, self._body = self._body, None  # at once: until its task runs, nothing more is to be read for it
        if came is not None:
            came.give(True)

    def room_came(self) -> None:
        """The client has taken what was sent."""
        if self._room is not None:
            self._room.give(True)

    def client_left(self) -> None:
        """The client has closed its side, or is gone: what waits looks again; what is pushed ends."""
        if self._out is not None:
            self._out.leave()
        elif (task := self._task) is not None:
            task.wake()
