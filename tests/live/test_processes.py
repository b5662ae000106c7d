"""Several processes serve as one: messages, iqs, event streams and callbacks from any of them, and nothing twice."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
import urllib3
from urllib3.util import make_headers

from tests.serving.plain_workers import accepting

from .callback import Callback
from .child import LOOPBACK, free_port
from .conftest import ONE_STREAM, bots
from .counting import insist
from .gateway import PASSWORD, ROOT, TOKEN, Gateway
from .prosody import Prosody
from .test_counted import owner_of
from .users import User
from .xmppserver import DOMAIN, GATEWAY, XMPPServer

ALONE = {"Authorization": f"Bearer {TOKEN}", "Connection": "close"}
PING = f"<iq type='get' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"


class Three(Gateway):
    """Three gunicorn workers, as `[server] workers` makes them."""

    def __init__(self, folder: Path, link_port: int, web: Callback) -> None:
        super().__init__(folder, link_port, {**ONE_STREAM, **bots(web), "server": {"workers": 3}})

    @property
    def ports(self) -> list[int]:
        """Where requests can be sent to."""
        return [self.port]


class PlainGunicorn(Three):
    """`gunicorn -w 2 'app:create_app()'`: its own worker class, and none of our hooks."""

    worker_class = "gthread"
    workers = 2

    def command(self) -> list[str]:
        options = [
            "-k",
            self.worker_class,
            "-w",
            str(self.workers),
            "--threads",
            "16",
            "--no-control-socket",
            "-b",
            f"{LOOPBACK}:{self.port}",
        ]
        return [sys.executable, "-m", "gunicorn", *options, "app:create_app()"]

    def environment(self) -> Mapping[str, str]:
        return {"XMPP_REST_CONFIG": str(self.folder / "wsgi.ini"), "PYTHONPATH": str(ROOT)}

    def ready(self) -> bool:
        return super().ready() and len(accepting(self.pid)) == self.workers


class GeventGunicorn(PlainGunicorn):
    """The same with gevent's greenlets in place of threads. When it stops, it waits for streams that nobody reads any more."""

    worker_class = "gevent"

    def command(self) -> list[str]:
        return [*super().command(), "--graceful-timeout", "2"]


class Waitress(PlainGunicorn):
    """Two processes that nobody forked from one another, as Passenger and mod_wsgi start them, over one data folder."""

    workers = 0

    def __init__(self, folder: Path, link_port: int, web: Callback) -> None:
        super().__init__(folder, link_port, web)
        self.other: Gateway | None = None

    def command(self) -> list[str]:
        return [sys.executable, "-m", "waitress", "--threads=16", f"--listen={LOOPBACK}:{self.port}", "--call", "app:create_app"]

    @property
    def ports(self) -> list[int]:
        return [self.port, self.other.port] if self.other else [self.port]

    def start(self) -> None:
        super().start()
        if type(self) is Waitress and self.other is None:
            self.other = _SecondWaitress(self)
            self.other.start()

    def stop(self, timeout: float = 30.0) -> None:
        if self.other:
            self.other.stop(timeout)
        super().stop(timeout)


class _SecondWaitress(Waitress):
    def __init__(self, first: Waitress) -> None:
        self.__dict__.update(first.__dict__)
        self._process, self.other, self.port = None, None, free_port()


@pytest.fixture(scope="module")
def server(prosody_alone: Prosody) -> XMPPServer:
    return prosody_alone


@pytest.fixture(scope="module", params=[Three, PlainGunicorn, GeventGunicorn, Waitress], ids=lambda kind: kind.__name__)
def several(request: pytest.FixtureRequest, server: XMPPServer, web: Callback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    gateway = request.param(tmp_path_factory.mktemp("several"), server.component_port, web)
    gateway.start()
    gateway.register("romeo")
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


def anyone(gateway: Three, n: int, xml: str) -> urllib3.BaseHTTPResponse:
    """POST over a connection of its own, which whichever process accepts it serves."""
    url = f"http://{LOOPBACK}:{gateway.ports[n % len(gateway.ports)]}/rest"
    return urllib3.request("POST", url, body=xml, headers={**ALONE, "Content-Type": "application/xmpp+xml"}, retries=False, timeout=30)


def test_messages_and_iqs_from_any_process(several: Three, juliet: User) -> None:
    mine = uuid4().hex  # the server may deliver again what an earlier session of juliet's had not acknowledged
    for n in range(24):
        assert anyone(several, n, f"<message to='{juliet.jid}' type='chat'><body>{mine} {n}</body></message>").status == 202
    heard: list[str] = []
    while len(heard) < 24:
        body = juliet.wait_message().findtext("{*}body") or ""
        if body.startswith(mine):
            heard.append(body)
    assert heard == [f"{mine} {n}" for n in range(24)]
    for n in range(12):
        answer = anyone(several, n, PING)
        assert (answer.status, b"result" in answer.data) == (200, True)


def test_each_stanza_goes_to_its_callback_once(several: Three, juliet: User, callback: Callback) -> None:
    for n in range(30):
        juliet.send(f"<message to='bot@{GATEWAY}' type='chat' id='once{n}'><body>once {n}</body></message>")
    juliet.send(f"<message to='bot@{GATEWAY}' type='chat' id='last'><body>last</body></message>")  # a sender's stanzas come in order
    bodies = [""]
    while bodies[-1] != "last":
        bodies.append(callback.wait(lambda request: request.path == "/bot").stanza.findtext("{*}body") or "")
    assert bodies == ["", *(f"once {n}" for n in range(30)), "last"]
    assert not callback.drain()


def test_each_event_comes_once_to_each_stream(several: Three, juliet: User) -> None:
    streams = [Listener(several.ports[n % len(several.ports)]) for n in range(4)]
    for n in range(20):
        juliet.send(f"<message to='romeo@{GATEWAY}' type='chat' id='e{n}'><body>event {n}</body></message>")
    for stream in streams:
        assert stream.bodies(20) == [f"event {n}" for n in range(20)]


class Listener:
    """An event stream of romeo's, whichever process serves it."""

    def __init__(self, port: int) -> None:
        fields = make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}")
        self.response = urllib3.request("GET", f"http://{LOOPBACK}:{port}/api/sse", headers=fields, preload_content=False, timeout=30)
        assert self.response.status == 200
        self.text = b""

    def bodies(self, count: int) -> list[str]:
        """Of the events that come until there are so many, and of what follows within a moment."""
        reading = threading.Thread(target=self._read, args=(count,), daemon=True)
        reading.start()
        reading.join(30)
        self.response.close()
        return [part.split(b'"')[0].decode() for part in self.text.split(b'"body":"')[1:]]

    def _read(self, count: int) -> None:
        while self.text.count(b'"body":"') < count:
            self.text += self.response.read1(4096) or b""


def test_the_next_process_takes_over(several: Three, juliet: User) -> None:
    """Last: one process is killed, and those of waitress do not come back."""
    owner, deadline = owner_of(several), time.monotonic() + 30
    os.kill(owner, signal.SIGKILL)
    while owner_of(several) == owner:
        time.sleep(0.01)
        assert time.monotonic() < deadline
    assert "could not take its place" not in several.log(), "it would have tried again after 5 s"
    alive = several if several.running else getattr(several, "other", several)
    insist(alive, f"<message to='{juliet.jid}' type='chat' id='after'><body>after</body></message>")
    juliet.wait_message("after")
