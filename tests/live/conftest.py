"""Fixtures of the live tests: the servers, and their start and stop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from flask import Flask

from tests.authority import Authority
from tests.conftest import build_app
from tests.drivers.postgrescluster import Cluster
from tests.drivers.postgrescluster import program as postgres_program

from .beside import Beside
from .callback import Callback
from .child import free_port
from .ejabberd import Ejabberd
from .gateway import Gateway, Sections
from .prosody import Prosody
from .proxy import Proxy
from .shared import STORAGES, Shared
from .tls_servers import TLS_SERVERS, TLSServer
from .users import EventLoop, User
from .xmppserver import DOMAIN, GATEWAY, PASSWORD, XMPPServer

HERE = Path(__file__).parent
SERVERS: tuple[type[XMPPServer], ...] = (Prosody, Ejabberd)
Server = TypeVar("Server", Beside, Callback, Cluster, EventLoop, Prosody, Proxy, XMPPServer)
ONE_STREAM: Sections = {"gateway": {"rooms_domain": "", "conference_domain": ""}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is in this folder is live, and may take its time; and slixmpp's own loose ends are not the gateway's."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(300))  # servers start, are killed, and are waited for, some of it for 60 s
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:slixmpp"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the processes' own logs under a failure."""
    report = yield
    if report.failed and HERE in item.path.parents:
        for name, value in getattr(item, "funcargs", {}).items():
            if hasattr(value, "tail"):
                report.sections.append((f"log of {name}", value.tail()))
    return report


def require(program: str, path: str | None = None) -> None:
    """Skip where a program is neither in PATH nor at `path`, or fail under XMPP_REST_REQUIRE_LIVE=1."""
    if path is None and shutil.which(program) is None:
        give_up = pytest.fail if os.environ.get("XMPP_REST_REQUIRE_LIVE") == "1" else pytest.skip
        give_up(f"{program} is not installed (on Debian: apt-get install what .ci/run names)")


def running(server: Server) -> Iterator[Server]:
    """Starts a server, and stops it in the end, even where its start has failed."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def event_loop_thread() -> Iterator[EventLoop]:
    yield from running(EventLoop())


@pytest.fixture(scope="module")
def prosody_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    """For modules that run against one server: Prosody, which restarts within a second."""
    require(Prosody.program)
    yield from running(Prosody(tmp_path_factory.mktemp("prosody") / "server"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    require("initdb", postgres_program("initdb"))
    yield from running(Cluster())


@pytest.fixture(scope="module", params=STORAGES)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, event_loop_thread: EventLoop, cluster: Cluster
) -> Iterator[Shared]:
    """A storage of each kind, of which neither Prosody nor the gateway has made use yet; the tests of a module share it."""
    require(Beside.program)
    for engine in "sqlite3", "postgresql":
        require(f"lua-dbi-{engine}", next(map(str, Path("/usr/lib").glob(f"*/lua/5.4/dbd/{engine}.so")), None))
    database = cluster.new_database() if request.param == "postgresql" else ""
    shared = Shared(event_loop_thread, tmp_path_factory.mktemp("shared"), request.param, database)
    yield shared
    shared.stop()


@pytest.fixture(scope="module", params=SERVERS, ids=lambda cls: cls.name)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XMPPServer]:
    """A running server of each kind; the tests of a module share it."""
    require(request.param.program)
    yield from running(request.param(tmp_path_factory.mktemp(request.param.name) / "server"))


@pytest.fixture(scope="module")
def proxy(server: XMPPServer) -> Iterator[Proxy]:
    """The way of the module's gateway to the server."""
    yield from running(Proxy(server.component_port))


@pytest.fixture
def relay(server: XMPPServer) -> Iterator[Proxy]:
    """A way to the server of the test's own."""
    yield from running(Proxy(server.component_port))


@pytest.fixture(scope="module")
def web() -> Iterator[Callback]:
    yield from running(Callback())


@pytest.fixture
def callback(web: Callback) -> Callback:
    """The module's callback service, as if nothing had happened before."""
    web.answers.clear()
    web.drain()
    return web


@pytest.fixture(scope="module")
def gateway(proxy: Proxy, web: Callback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that is attached to the module's server, with an account `romeo` and some bots."""
    running = Gateway(tmp_path_factory.mktemp("gateway"), proxy.port, bots(web))
    running.start()
    running.register("romeo")
    running.wait_state("online")
    yield running
    running.stop()


def bots(web: Callback) -> Sections:
    """Callbacks for the addresses `bot`, `other` and so on of the gateway's domain."""
    return {
        "callback.bot": {"url": web.url("/bot"), "address": f"bot@{GATEWAY}"},
        "callback.other": {"url": web.url("/other"), "address": f"other@{GATEWAY}"},
        "callback.json": {"url": web.url("/json"), "address": f"json@{GATEWAY}", "content_type": "json"},
        "callback.url": {"url": web.url("/url?{kind}&{type}&{to}&{from}"), "address": f"url@{GATEWAY}"},
        "callback.picky": {"url": web.url("/picky"), "address": f"picky@{GATEWAY}", "kinds": "message", "events": "bare"},
        "callback.gone": {"url": f"http://127.0.0.1:{free_port()}/", "address": f"gone@{GATEWAY}"},
        "callback.late": {"url": web.url("/late"), "address": f"late@{GATEWAY}", "timeout": 0.5},
    }


@pytest.fixture
def start_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Gateway]]:
    """Gateways of a test's own: called with the port of the link and more settings."""
    started: list[Gateway] = []

    def start(link_port: int, sections: Sections = ONE_STREAM) -> Gateway:
        gateway = Gateway(tmp_path_factory.mktemp("gateway"), link_port, sections)
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in started:
        gateway.stop()


def logged_in(loop: EventLoop, server: XMPPServer, name: str) -> Iterator[User]:
    user = User(loop, server, name)
    user.connect()
    yield user
    user.close()


@pytest.fixture
def juliet(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[User]:
    yield from logged_in(event_loop_thread, server, "juliet")


@pytest.fixture
def nurse(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[User]:
    yield from logged_in(event_loop_thread, server, "nurse")


@pytest.fixture
def app(prosody: Beside, tmp_path: Path) -> Iterator[Flask]:
    """A gateway on the files of a module's Prosody."""
    given = {"gateway_domain": DOMAIN, "auth_admin_password": PASSWORD, "storage_url": f"flatfile:{prosody.folder}/data"}
    app = build_app(tmp_path / "data", **given)
    app.extensions["gateway"].start()
    yield app
    app.extensions["gateway"].stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who has issued the certificates of the servers with TLS."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=TLS_SERVERS, ids=lambda cls: cls.name)
def tls_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[TLSServer]:
    """A running server of foreign accounts of each kind; the tests of a module share it."""
    require(request.param.program)
    yield from running(request.param(tmp_path_factory.mktemp(request.param.name) / "server", authority))
