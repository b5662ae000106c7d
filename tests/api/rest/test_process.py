"""A gateway in a process of its own: batches in constant memory, callbacks that survive a kill -9."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.live.child import LOOPBACK
from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY
from tests.webservice import Answer, Service

MakeGateway = Callable[..., Gateway]
ADMIN = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeGateway]:
    """Starts gateways without a link, on the same data."""
    made: list[Gateway] = []

    def start(**sections: dict[str, object]) -> Gateway:
        gateway = Gateway(tmp_path, 1, {"link": {"kind": "none"}, **sections})
        made.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in made:
        gateway.stop()


def peak(gateway: Gateway) -> int:
    """The most memory that a process of the gateway has had, in KiB."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    lines = [line for pid in children for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def batch(gateway: Gateway, body: bytes, *, chunked: bool) -> list[dict[str, object]]:
    """Send all of it before anything is read."""
    head = f"POST /rest HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {ADMIN}\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((LOOPBACK, gateway.port), timeout=120) as connection:
        connection.sendall(head.encode())
        if chunked:
            for at in range(0, len(body), 100_000):
                piece = body[at : at + 100_000]
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(body)
        response = HTTPResponse(connection)
        response.begin()
        assert response.status == 200
        return [json.loads(line) for line in response.read().splitlines()]


@pytest.mark.parametrize("chunked", [True, False])
def test_ten_thousand_stanzas_in_one_request(make: MakeGateway, chunked: bool) -> None:
    gateway = make()
    to = f"admin@{GATEWAY}"
    # headlines go to no archive, so the disk has no part in this
    lines = [json.dumps({"to": to, "body": f"{n}", "type": "headline", "id": f"m{n}"}) for n in range(10_000)]
    answers = batch(gateway, "\n".join(lines).encode(), chunked=chunked)
    assert answers == [{"line": n + 1, "id": f"m{n}", "outcome": "accepted"} for n in range(10_000)]


def test_memory_does_not_grow_with_the_body(make: MakeGateway) -> None:
    gateway = make(rest={"batch_size_limit": 1 << 30})
    line = json.dumps({"to": "@", "body": "x" * 10_000}).encode() + b"\n"
    batch(gateway, line * 100, chunked=False)
    before = peak(gateway)
    answers = batch(gateway, line * 10_000, chunked=False)  # 100 MB, and 3 MB of answers
    assert len(answers) == 10_000
    assert peak(gateway) - before < 15_000


def test_a_killed_gateway_posts_what_it_promised(make: MakeGateway, service: Service) -> None:
    service.answers["/"] = Answer(204, delay=60)
    callback = {"url": service.url("/"), "address": f"bot@{GATEWAY}", "content_type": "json"}
    first = make(**{"callback.bot": callback})
    for n in range(20):
        answer = first.post_json({"from": f"u{n % 3}@{GATEWAY}", "to": f"bot@{GATEWAY}", "body": f"{n}"})
        assert answer.status == 202
    service.wait_body('"0"')
    first.kill()
    service.drain()
    service.answers["/"] = Answer(204)
    second = make(**{"callback.bot": callback})
    posted = [json.loads(service.wait(lambda _: True).body) for _ in range(20)]
    for sender in range(3):
        mine = [int(p["body"]) for p in posted if p["from"] == f"u{sender}@{GATEWAY}"]
        assert mine == list(range(sender, 20, 3)), "the order of each sender"
    second.stop()
    assert all(r.method == "OPTIONS" for r in service.drain()), "each once"
