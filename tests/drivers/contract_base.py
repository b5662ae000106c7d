"""Contract: access of the tests to a storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from drivers import Driver, open_driver

JULIET = ("juliet", "capulet.example")
ROMEO = ("romeo", "montague.example")


class StorageFixtures:
    """Opens the storage that the fixture `url` of a subclass names."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        raise NotImplementedError("give your test class a fixture `url`")

    @pytest.fixture
    def opened(self, url: str, tmp_path: Path) -> Iterator[Callable[[], Driver]]:
        """Opens the same storage once more, as another process would."""
        with ExitStack() as stack:
            yield lambda: stack.enter_context(closing(open_driver(url, tmp_path)))

    @pytest.fixture
    def driver(self, opened: Callable[[], Driver]) -> Driver:
        return opened()
