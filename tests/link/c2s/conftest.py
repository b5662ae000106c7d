"""A server of accounts, sessions that are kept there, and a server that does what a script says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.authority import Authority
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.hostile import DOMAIN, HostileServer
from tests.link.c2s.kept import Kept


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeServer]:
    """With juliet and her nurse."""
    with FakeServer(tmp_path, {"juliet": "wherefore", "nurse": "peter"}) as server:
        yield server


@pytest.fixture
def keep(fake: FakeServer) -> Iterator[Callable[..., Kept]]:
    """Makes the thread of sessions with these settings of [sessions]."""
    made: list[Kept] = []

    def make(**settings: Any) -> Kept:
        made.append(Kept(fake, **settings))
        return made[-1]

    yield make
    for kept in made:
        kept.close()


@pytest.fixture
def kept(keep: Callable[..., Kept]) -> Kept:
    return keep()


@pytest.fixture(scope="session")
def c2s_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the logins trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def hostile(c2s_authority: Authority) -> Iterator[HostileServer]:
    server = HostileServer(c2s_authority, c2s_authority.issue(DOMAIN))
    yield server
    server.close()
