"""The web service behind a callback, for tests: records each request, answers by a table."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree as ET

from .child import LOOPBACK


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    when: float = field(default_factory=time.monotonic)

    @property
    def stanza(self) -> ET.Element:
        """The body, read as XML."""
        return ET.fromstring(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer, and after how many seconds."""

    status: int = 204
    body: str | bytes = b""
    content_type: str = ""
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


Rule = Answer | Callable[[Request], Answer]
XML = "application/xmpp+xml"


class Callback:
    """A threaded HTTP server on a free loopback port: `answers` maps a path to an Answer, or to a function that makes one.

    A path without an entry is answered with 204. Owner: the fixture that made it.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Rule] = {}
        self._requests: list[Request] = []
        self._arrived = threading.Condition()
        self._server = _Server((LOOPBACK, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="callback", daemon=True)

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; requests under way are abandoned."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def url(self, path: str = "/") -> str:
        """The URL of a path here."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}{path}"

    def answer(self, request: Request) -> Answer:
        """Record a request and look up its answer."""
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()
        if request.method != "POST":
            return Answer(200)
        rule = self.answers.get(request.path.partition("?")[0], Answer())
        return rule if isinstance(rule, Answer) else rule(request)

    def wait(self, wanted: Callable[[Request], bool], timeout: float = 30.0) -> Request:
        """The first POST that fits and was not handed out before. Raises TimeoutError, with all that did arrive."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                for request in self._requests:
                    if request.method == "POST" and wanted(request):
                        self._requests.remove(request)
                        return request
                if not self._arrived.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError("arrived so far:\n" + "\n".join(map(repr, self._requests)))

    def wait_body(self, text: str, path: str | None = None, timeout: float = 30.0) -> Request:
        """The first POST (to this path) whose body contains `text`."""
        return self.wait(lambda r: text.encode() in r.body and path in (None, r.path), timeout)

    def drain(self) -> list[Request]:
        """Every request that was not handed out, probes included; none is kept then."""
        with self._arrived:
            requests, self._requests = self._requests, []
        return requests


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A gateway that was stopped or that gave up waiting breaks its connections off: no news."""


def _handler(callback: Callback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {k.lower(): v for k, v in self.headers.items()}
            answer = callback.answer(Request(self.command, self.path, headers, self.rfile.read(length)))
            time.sleep(answer.delay)
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.content_type:
                self.send_header("Content-Type", answer.content_type)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_OPTIONS = do_GET = _serve  # noqa: N815 - http.server looks for these names

        def log_message(self, *args: object) -> None:
            """Keep quiet: what came is recorded."""

    return Handler
