"""Small tables about the storage itself, beside the content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from drivers import Table
from drivers.files import durable
from drivers.files.locking import Locks
from drivers.files.paths import encoded
from drivers.jsontext import json_text
from drivers.names import Key
from drivers.values import canonical_table

FOLDER = ".notes"  # no encoded host begins with a dot


def note(root: Path, locks: Locks, name: str, change: Callable[[Table | None], Table | None] | None) -> Table | None:
    """The table of a name, after a `change` if there is one."""
    path = root / FOLDER / f"{encoded(name)}.json"

    def read() -> Table | None:
        data = durable.read(path)
        return json.loads(data) if data else None

    if change is None:
        return read()
    with locks.held(Key("", "", f"{FOLDER}/{name}")):
        table = canonical_table(change(read()))
        durable.replace(path, [json_text(table or {}).encode()])
        return table
