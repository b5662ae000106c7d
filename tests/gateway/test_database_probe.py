"""A database that does not answer is found within a second."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.live.child import free_port
from xmpp_rest.gateway.database_probe import silent_hosts


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose queue of connections is full, so that Linux drops what comes."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_who_does_not_answer(silent: int) -> None:
    begun = time.monotonic()
    assert silent_hosts(f"postgresql://u@127.0.0.1:{silent}/x?a=b", 0.3) == "127.0.0.1"
    assert time.monotonic() - begun < 20


def test_who_answers(silent: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert silent_hosts(f"postgres://127.0.0.1:{silent},127.0.0.1:{server.getsockname()[1]}", 30) == ""
    assert silent_hosts(f"postgresql://[::1]:{free_port()},127.0.0.1:{free_port()}/x", 30) == ""  # refused: libpq says it


@pytest.mark.parametrize("url", ["sqlite:x", "postgresql:///x", "postgresql://%2Frun/x", "postgresql:host=192.0.2.1", "postgresql://u@/x", "postgres://[x"])
def test_nobody_to_ask(url: str) -> None:
    assert silent_hosts(url, 0) == ""
