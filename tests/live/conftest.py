"""Which servers do the live tests run against, and who starts and stops what?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .callback import Callback
from .ejabberd import Ejabberd
from .prosody import Prosody
from .users import EventLoop, User
from .xmppserver import XMPPServer

HERE = Path(__file__).parent
SERVERS: tuple[type[XMPPServer], ...] = (Prosody, Ejabberd)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is in this folder is live; and slixmpp's own loose ends are not the gateway's."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:slixmpp"))


def require(program: str) -> None:
    """Skip where a program is missing, or fail under XMPP_REST_REQUIRE_LIVE=1."""
    if shutil.which(program) is None:
        give_up = pytest.fail if os.environ.get("XMPP_REST_REQUIRE_LIVE") == "1" else pytest.skip
        give_up(f"{program} is not installed (on Debian: apt-get install prosody ejabberd nginx-light)")


@pytest.fixture(scope="session")
def event_loop_thread() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture(scope="module", params=SERVERS, ids=lambda cls: cls.name)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XMPPServer]:
    """A running server of each kind; the tests of a module share it."""
    require(request.param.program)
    running = request.param(tmp_path_factory.mktemp(request.param.name) / "server")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def callback() -> Iterator[Callback]:
    service = Callback()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def juliet(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[User]:
    user = User(event_loop_thread, server, "juliet")
    user.connect()
    yield user
    user.close()


@pytest.fixture
def nurse(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[User]:
    user = User(event_loop_thread, server, "nurse")
    user.connect()
    yield user
    user.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the servers' own logs under a failure."""
    report = yield
    if report.failed and HERE in item.path.parents:
        for name, value in getattr(item, "funcargs", {}).items():
            if hasattr(value, "tail"):
                report.sections.append((f"log of {name}", value.tail()))
    return report
