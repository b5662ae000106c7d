"""docs/errors.md names every error of the table, with its status and condition, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from xmpp_rest.errors import TABLE

PAGE = (Path(__file__).parents[2] / "docs/errors.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| `([\w-]+)` \| (\d+) \| ([\w-]+) \| .+ \| (.+) \|$", PAGE, re.MULTILINE)


def test_the_page_is_the_table() -> None:
    errors = [(name, str(row.status), row.condition) for rows in TABLE.values() for name, row in rows.items()]
    assert [(name, status, condition) for name, status, condition, _ in LISTED] == errors


def test_each_has_a_remedy() -> None:
    assert [name for name, _, _, remedy in LISTED if not remedy.strip()] == []
