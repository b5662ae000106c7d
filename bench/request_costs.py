"""The processor time of a request: direct WSGI calls in one thread, without a server, a network or an XMPP server.

    python bench/request_costs.py [--rounds 40] [--batch 25] [--only TEXT] [--functions TEXT]

Short batches of all requests are interleaved, so that a busy machine slows all of them alike; the number printed is the least of the
rounds. `--functions` profiles the requests whose name contains TEXT instead, and prints the functions that take longest themselves.
Messages are not sent: `Sending` returns at once.
"""

from __future__ import annotations

import argparse
import base64
import cProfile
import io
import json
import logging
import pstats
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

from flask import Flask

sys.path.insert(0, str(Path(__file__).parents[1]))

from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.logs.handler import BufferedHandler
from xmpp_rest.logs.lines import TextLines
from xmpp_rest.logs.setup import PATIENT
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.send import Sending

DOMAIN = "capulet.example"
ADMIN, USER = f"admin@{DOMAIN}", f"juliet@{DOMAIN}"
PASSWORD = "R0m30-forever"
COMPONENT = "Bearer hand-in-glove"
PAGE = 10  # messages on a page of history

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Measured(NamedTuple):
    """A row: its name, and the request."""

    name: str
    environ: dict[str, Any]


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


def request(method: str, path: str, field: str, value: Any = None) -> dict[str, Any]:
    """The environ as our worker makes it."""
    path, _, query = path.partition("?")
    body = b"" if value is None else json.dumps(value).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query, "RAW_URI": path, "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "gunicorn", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "5",
        "HTTP_HOST": "127.0.0.1:8080", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True, "body": body,
    }  # fmt: skip
    if field:
        environ["HTTP_AUTHORIZATION"] = field
    if body:
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return environ


def prepared(folder: Path, **more: str) -> tuple[Flask, list[Measured]]:
    """A gateway with accounts, a page of history and a store, and the requests. `more`: settings."""
    given = {
        "gateway_domain": DOMAIN, "auth_admins": ADMIN, "auth_admin_password": PASSWORD, "rest_credentials": COMPONENT,
        "server_data_dir": str(folder), **more,
    }  # fmt: skip
    app = build(load_settings(None, {f"XMPP_REST_{name.upper()}": value for name, value in given.items()}))
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    parts, juliet = gateway.parts, parse_jid(USER)
    parts.accounts.register(juliet, PASSWORD)
    token = f"Bearer {parts.tokens.issue(parse_jid(ADMIN), ['ejabberd:admin'], 3600)}"
    gateway.driver.store("juliet", DOMAIN, "bookmarks", {"room": "verona", "count": 7})
    for n in range(3 * PAGE):
        text = f"<message from='{USER}/x' to='romeo@montague.example' type='chat' id='i{n}'><body>Wherefore art thou?</body></message>"
        parts.archive.keep(juliet, text, 1.7e9 + n, parse_jid("romeo@montague.example"))
    stanza = {"kind": "message", "type": "chat", "to": "romeo@montague.example", "body": "Wherefore art thou?"}
    command = {"type": "chat", "from": USER, "to": "romeo@montague.example", "subject": "", "body": "Wherefore art thou?"}
    item = {"to": "romeo@montague.example", "body": "Wherefore art thou?"}
    return app, [
        Measured("GET /health", request("GET", "/health", "")),
        Measured("POST /rest/echo, Bearer", request("POST", "/rest/echo", COMPONENT, stanza | {"from": USER})),
        Measured("POST /rest/echo, Basic", request("POST", "/rest/echo", basic(USER), stanza)),
        Measured("POST /rest, Bearer, not sent", request("POST", "/rest", COMPONENT, stanza | {"from": USER})),
        Measured("POST /rest, Basic, not sent", request("POST", "/rest", basic(USER), stanza)),
        Measured("GET /data, Basic", request("GET", f"/data/{DOMAIN}/juliet/bookmarks", basic(USER))),
        Measured("POST /api/send_message, token, not sent", request("POST", "/api/send_message", token, command)),
        Measured("POST /api/send_message, Basic, not sent", request("POST", "/api/send_message", basic(ADMIN), command)),
        Measured("POST /api/messages, Basic, not sent", request("POST", "/api/messages", basic(USER), item)),
        Measured(f"GET /api/messages, a page of {PAGE}", request("GET", f"/api/messages?limit={PAGE}", basic(USER))),
    ]


def call(app: Wsgi, environ: dict[str, Any]) -> tuple[str, bytes]:
    """One request; status and body."""
    environ = dict(environ)
    environ["wsgi.input"] = io.BytesIO(environ.pop("body"))
    told: list[str] = []
    answer = app(environ, lambda status, _fields, _error=None: told.append(status))
    body = b"".join(answer)
    if close := getattr(answer, "close", None):
        close()
    return told[0], body


def batch(app: Wsgi, environ: dict[str, Any], size: int) -> float:
    """Processor time of this thread for one request in microseconds, averaged over a batch."""
    began = time.thread_time_ns()
    for _ in range(size):
        call(app, environ)
    return (time.thread_time_ns() - began) / size / 1000


def unsent(*_args: Any, **_kwargs: Any) -> None:
    """In place of Sending.send and Sending.post."""


def functions(app: Wsgi, row: Measured, calls: int = 2000) -> None:
    profile = cProfile.Profile()
    profile.runcall(lambda: [call(app, row.environ) for _ in range(calls)])
    print(f"\n== {row.name}")
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def log_to(folder: Path) -> None:
    """The audit's lines go to a file, as below gunicorn."""
    handler = BufferedHandler(PATIENT, (folder / "log").open("w", encoding="utf-8"))
    handler.setFormatter(TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    for name in PATIENT:
        logging.getLogger(name).setLevel(logging.INFO)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--only", default="")
    parser.add_argument("--functions", metavar="TEXT")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, patch.object(Sending, "send", unsent), patch.object(Sending, "post", unsent):
        log_to(Path(folder))
        app, rows = prepared(Path(folder) / "data")
        try:
            rows = [row for row in rows if (arguments.functions or arguments.only) in row.name]
            for row in rows:
                status, body = call(app.wsgi_app, row.environ)
                assert status[0] == "2", (row.name, status, body)
            if arguments.functions is not None:
                for row in rows:
                    functions(app.wsgi_app, row)
                return
            least = dict.fromkeys((row.name for row in rows), float("inf"))
            for _ in range(arguments.rounds):
                for row in rows:
                    least[row.name] = min(least[row.name], batch(app.wsgi_app, row.environ, arguments.batch))
            for name, took in least.items():
                print(f"{name:<42} {took:6.0f} µs")
        finally:
            app.extensions["gateway"].stop()


if __name__ == "__main__":
    main()
