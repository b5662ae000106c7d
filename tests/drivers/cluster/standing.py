"""A node that owns, and stops itself in the midst of writing a list. Run as: standing.py URL FOLDER HOSTED"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, SupportsIndex

from drivers import StorageError, open_driver
from drivers.names import Key
from drivers.postgres import Postgres
from drivers.sql import lists
from drivers.sql.session import Row

LIST = Key("capulet.example", "juliet", "list")
ENDED = 3
"""How it exits where the storage has refused what it was writing."""


class Standing(list[Row]):
    """Rows behind the first of which the process stops, until somebody lets it go on."""

    def __iter__(self) -> Iterator[Row]:
        for i, row in enumerate(super().__iter__()):
            if i == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            yield row

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        found = super().__getitem__(index)
        return Standing(found) if isinstance(found, list) else found


def main() -> None:
    url, folder, hosted = sys.argv[1:]
    driver = open_driver(url, Path(folder))
    assert isinstance(driver, Postgres)
    driver.in_cluster(3.0)
    shared = driver.open_shared(hosted)
    assert shared.take(hosted, "web1", "run1", None) == 1
    shared.fence(hosted, "run1", 1, (), lambda: None)
    rows = Standing([(*LIST, f"{i}") for i in range(3)])
    try:
        driver._postgres.write(LIST, lambda session: session.insert(*lists.INSERT, rows))
    except StorageError:
        sys.exit(ENDED)


if __name__ == "__main__":
    main()
