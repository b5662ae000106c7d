"""The table of errors points to the documentation, and is all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xmpp_rest.errors import ERRORS, TABLE, GatewayError

ROOT = Path(__file__).resolve().parents[1]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("link", TABLE)
def test_the_documentation_has_the_section(link: str) -> None:
    page, _, anchor = link.partition("#")
    assert anchor in anchors(ROOT / page)


def test_every_name_is_there_once() -> None:
    assert sum(map(len, TABLE.values())) == len(ERRORS)


def test_every_row_is_an_error() -> None:
    wrong = {name for name, row in ERRORS.items() if row.status not in range(400, 600) or row.type not in ("auth", "cancel", "modify", "wait") or not row.text}
    assert wrong == set()


def test_every_row_is_used() -> None:
    table = ROOT / "xmpp_rest/errors.py"
    used = "".join(path.read_text("utf-8") for path in (ROOT / "xmpp_rest").rglob("*.py") if path != table)
    used += table.read_text("utf-8").partition("class GatewayError")[2]
    of_fields = {"to", "from"}  # named by the field of a stanza that is wrong
    assert {name for name in ERRORS if f'"{name}"' not in used} <= of_fields


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (GatewayError("link-down"), 5),
        (GatewayError("session-lost"), 1),
        (GatewayError("no-server"), None),
        (GatewayError("unreachable", retry_after=0), 1),
        (GatewayError("unreachable", retry_after=2.01), 3),
        (GatewayError("too-many-failures", retry_after=1800), 1800),
    ],
)
def test_when_to_try_again(error: GatewayError, seconds: int | None) -> None:
    assert error.retry_after == seconds
