"""How long tokens last is decided in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xmpp_rest.auth import lifetimes
from xmpp_rest.config.table import OAuthSettings

SETTINGS = OAuthSettings(expire=600, client_check="db", expire_max=100_000)
ROOT = Path(lifetimes.__file__).parents[1]


@pytest.mark.parametrize(("ttl", "seconds"), [(None, 600), ("60", 60), ("100001", 100_000), ("9" * 5000, 100_000)])
def test_the_time_that_a_form_asks_for(ttl: str | None, seconds: int) -> None:
    assert lifetimes.of_form(ttl, SETTINGS) == seconds


@pytest.mark.parametrize("ttl", ["", "0", "-1", "1.5", "1h", "²"])
def test_what_is_not_a_time(ttl: str) -> None:
    with pytest.raises(ValueError, match="ttl: write a number of seconds"):
        lifetimes.of_form(ttl, SETTINGS)


def test_the_page_offers_no_longer_times_than_the_bound() -> None:
    assert lifetimes.offered(SETTINGS) == {3600: "an hour", 86400: "a day"}


def test_no_other_file_decides() -> None:
    deciding = re.compile(r"oauth\.expire|\.expire_max|365 \* 86400")
    found = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if deciding.search(path.read_text("utf-8"))}
    assert found == {"auth/lifetimes.py"}
