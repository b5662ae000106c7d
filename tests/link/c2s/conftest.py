"""A scripted server, and sessions that are kept there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.link.c2s.fake_server import FakeServer
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
