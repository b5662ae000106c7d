"""A small web server on a free loopback port, for files that are fetched, and for slots of a foreign service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Page(NamedTuple):
    """What a path answers. `length`: that is announced; None: that of the body; -1: none."""

    status: int = 200
    fields: dict[str, str] = {}
    body: bytes = b""
    length: int | None = None
    wait: Callable[[], object] | None = None


class Taken(NamedTuple):
    """A request that came."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes


class WebServer:
    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.taken: list[Taken] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.taken.append(Taken(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                page = server.pages.get(self.path, Page(404))
                if page.wait is not None:
                    page.wait()
                self.send_response(page.status)
                for name, value in page.fields.items():
                    self.send_header(name, value)
                if page.length != -1:
                    self.send_header("Content-Length", str(len(page.body) if page.length is None else page.length))
                self.end_headers()
                self.wfile.write(page.body)

            do_GET = do_PUT = handle_one  # noqa: N815  # the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def serving() -> Iterator[WebServer]:
    """A server that answers as long as the context lasts."""
    server = WebServer()
    server._thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        server._server.server_close()
        server._thread.join(10)
