"""Fixtures of the tests of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.sessions.scripted import Scripted

MakeScripted = Callable[..., Scripted]


@pytest.fixture
def make_scripted(tmp_path: Path) -> Iterator[MakeScripted]:
    """Makes admissions with settings of `[sessions]`, and stops them when the test is over."""
    made: list[Scripted] = []

    def make(**given: Any) -> Scripted:
        made.append(Scripted(tmp_path, **given))
        return made[-1]

    yield make
    for scripted in made:
        scripted.stop()


@pytest.fixture
def scripted(make_scripted: MakeScripted) -> Scripted:
    return make_scripted()
