"""Requests leave no cycles behind, so that the collector of cycles may run seldom (`serving/server.py`)."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.conftest import DOMAIN, TOKEN, build_app

REQUESTS = 100


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/health", "", 200),
        ("POST", "/rest/echo", f"<message from='juliet@{DOMAIN}' to='romeo@{DOMAIN}'><body>Hi</body></message>", 200),
        ("POST", "/rest", f"<message to='nobody@{DOMAIN}'><body>Hi</body></message>", 200),  # an error stanza
    ],
)
def test_a_request_leaves_no_cycles(tmp_path: Path, method: str, path: str, body: str, status: int) -> None:
    app = build_app(tmp_path)
    app.extensions["gateway"].start()
    fields = [("Authorization", TOKEN), ("Content-Type", "application/xmpp+xml")] if body else []

    def ask() -> None:
        environ = EnvironBuilder(path, method=method, data=body, headers=fields).get_environ()
        answer, said, _ = run_wsgi_app(app, environ, buffered=True)
        assert int(said[:3]) == status, b"".join(answer)

    def cycles() -> int:
        ask()
        gc.collect()
        gc.disable()
        for _ in range(REQUESTS):
            ask()
        return gc.collect()

    gc.freeze()  # else each collection looks at all that the tests before have left: a second and more
    try:
        assert min(cycles() for _ in range(3)) < REQUESTS  # what is done once, such as imports, may leave some
    finally:
        gc.enable()
        gc.unfreeze()
        app.extensions["gateway"].stop()
