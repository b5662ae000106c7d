"""What is read of a connection's bytes is answered, and what is refused ends the connection with its status."""

from __future__ import annotations

import re
import socket

import pytest
from gunicorn.config import Config

from tests.serving.test_body import rest
from tests.serving.wire_vectors import REFUSED, SERVED
from tests.serving.worker_server import Server
from xmpp_rest.serving.head_parser import HeadParser
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.reading import RequestReader
from xmpp_rest.serving.request import BadRequest

VECTORS = SERVED | REFUSED


def read(data: bytes) -> tuple[int, int | None]:
    """How many answers are due, and the status of the last one if that is known: of what cannot be a request, or whose body is not all there."""
    cfg = Config()  # as the server's here
    limits = Limits.of(cfg)
    reader = RequestReader(limits, HeadParser(cfg, limits), ("127.0.0.1", 4711), lambda: None)
    count = 0
    status = None
    try:
        reader.feed(data)
        while reader.requests:
            count += 1
            if not reader.requests.popleft().body.complete:
                status = 400
            reader.feed(b"")
    except BadRequest as e:
        count += len(reader.requests) + 1
        status = e.status
    return count, status


@pytest.mark.parametrize("name", VECTORS)
def test_answers(server: Server, name: str) -> None:
    data = VECTORS[name]
    count, status = read(data)
    with server.connect() as sock:
        sock.settimeout(30)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answers = [int(code) for code in re.findall(rb"(?:^|\n|[^ ])HTTP/1\.\d (\d{3}) ", rest(sock)) if code != b"100"]
    assert len(answers) == count
    assert status is None or answers[-1] == status
