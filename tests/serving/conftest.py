"""A server of gunicorn's with our worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.worker_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("worker"))
    yield server
    if server.process.poll() is None:
        server.stop()
    text = server.output()
    server.log.close()
    assert "Traceback" not in text, text
