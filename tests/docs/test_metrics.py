"""docs/metrics.md names all metrics, as they are."""

from __future__ import annotations

import re
from pathlib import Path

from xmpp_rest.metrics.families import PREFIX, TABLE

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| (.*?)\| (.*) \|$", text, re.MULTILINE)
    told = [(name, kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows]
    assert told == [(f.name, f.type, f.labels, f.help) for f in TABLE if f.prefix == PREFIX]
    assert all(f"`{f.name}`" in text for f in TABLE)
