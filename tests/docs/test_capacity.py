"""The page of numbers has what the calculation says, and the calculation holds what it is to hold (many-machines §14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cluster.capacity import SIZES, Load, cells, page, power, shares, shown

PAGE = Path(__file__).parents[2] / "docs/how-to/many-machines-numbers.md"


def test_the_page_shows_what_is_calculated() -> None:
    assert page() in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("accounts", SIZES)
def test_no_cluster_is_asked_for_more_than_it_can(accounts: int) -> None:
    number = cells(Load(accounts))
    assert max(shares(Load(accounts / number)).values()) <= 1
    assert number == 1 or max(shares(Load(accounts / (number - 1))).values()) > 1


def test_ten_times_the_accounts_ask_for_ten_times_as_much() -> None:
    small, large = Load(10**5), Load(10**6)
    for asked in ("messages", "streams", "requests"):
        assert getattr(large, asked) == pytest.approx(10 * getattr(small, asked))
    assert large.nodes > small.nodes >= 2


def test_numbers_are_rounded_to_what_is_known() -> None:
    assert [shown(n) for n in (115.74, 1157.4, 0.64, 3.04, 2, 11, 0)] == ["120", "1,200", "0.64", "3", "2", "11", "0"]
    assert power(10**7) == "10^7"
