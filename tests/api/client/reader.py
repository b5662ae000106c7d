"""A reader of event streams for tests: without a server, from the WSGI response."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from flask.testing import FlaskClient

from tests.conftest import basic

HEARTBEAT = b": ok\n\n"


class Received(NamedTuple):
    """One event."""

    id: str
    name: str
    data: dict[str, Any]


class Reader:
    """One open stream. `blocks` are comments and events as they come."""

    def __init__(self, client: FlaskClient, as_: str, path: str = "/api/sse", **headers: str) -> None:
        self.response = client.get(path, headers=basic(as_) | headers)
        assert self.response.status_code == 200, self.response.text
        self.blocks: Iterator[bytes] = iter(self.response.response)  # type: ignore[arg-type]
        self.first = next(self.blocks)

    def next(self) -> Received:
        """The next event; AssertionError if there are only heartbeats for 30 seconds, or another comment."""
        until = time.monotonic() + 30
        while (block := next(self.blocks)) == HEARTBEAT and time.monotonic() < until:
            pass
        assert not block.startswith(b":"), f"a comment instead of an event: {block!r}"
        return parse(block)

    def heartbeat(self) -> None:
        """The next thing that comes is a heartbeat."""
        assert next(self.blocks) == HEARTBEAT

    def close(self) -> None:
        self.response.close()


def parse(block: bytes) -> Received:
    lines = block.decode().split("\n")
    assert lines[3:] == ["", ""], block
    (_, identifier), (_, name), (_, data) = pairs = [line.split(": ", 1) for line in lines[:3]]
    assert [field for field, _ in pairs] == ["id", "event", "data"]
    return Received(identifier, name, json.loads(data))
