"""A process that writes to a storage, and prints what the storage has acknowledged. Run as: writer.py URL BASE ROLE NAME COUNT"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from drivers import Driver, open_driver

JULIET = ("juliet", "capulet.example")
PADDING = "x" * 2000


def update(driver: Driver, name: str, i: int) -> None:
    def change(table: Any) -> Any:
        table = table or {}
        return table | {"count": table.get("count", 0) + 1, name: i, "padding": PADDING}

    driver.update(*JULIET, "counter", change)


def append(driver: Driver, name: str, i: int) -> None:
    driver.list_append(*JULIET, "list", {"by": name, "i": i, "padding": PADDING, "inf": float("inf")})


def archive(driver: Driver, name: str, i: int) -> None:
    driver.archive_append(*JULIET, "archive", f"<message><body>{PADDING}</body></message>", when=i, key=f"{name}-{i}")


def store(driver: Driver, name: str, i: int) -> None:
    driver.store(name, "capulet.example", "settings", {"i": i, "a": PADDING, "b": PADDING, "again": i})


ROLES = {role.__name__: role for role in (update, append, archive, store)}


def main() -> None:
    url, base, role, name, count = sys.argv[1:]
    driver = open_driver(url, Path(base))
    for i in range(int(count)):
        ROLES[role](driver, name, i)
        os.write(1, b"%d\n" % i)  # acknowledged: from here on it must never be lost
    driver.close()


if __name__ == "__main__":
    main()
