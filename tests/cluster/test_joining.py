"""Who may join a cluster, and what a newcomer is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drivers.shared import NodeRow
from tests.cluster.rows import row
from xmpp_rest.cluster.joining import CannotJoin, differences, require_fit
from xmpp_rest.cluster.protocol import fit

DOMAINS = {"domain": "gateway.example", "rooms_domain": "muclight.gateway.example"}


def join(own: NodeRow, looks: Sequence[Sequence[NodeRow]], lease: float = 3.0) -> float:
    """Try; how long that took. `looks`: what is there at each look, the last of them from then on."""
    now, number = [0.0], [0]

    def read() -> Sequence[NodeRow]:
        number[0] += 1
        return looks[min(number[0], len(looks)) - 1]

    def wait(seconds: float) -> None:
        now[0] += seconds

    require_fit(own, read, lease, lambda: now[0], wait)
    return now[0]


def test_who_fits_joins_at_once() -> None:
    assert join(row("web1", gateway=DOMAINS), [[row("web1", protocol=9), row("web2", gateway=DOMAINS), row("web3")]]) == 0.0


def test_a_living_node_with_other_domains_is_named_with_the_key() -> None:
    there = row("web2", gateway={**DOMAINS, "rooms_domain": ""})
    with pytest.raises(CannotJoin, match=r"\[gateway\] rooms_domain is muclight.gateway.example here and empty at node web2") as refused:
        join(row("web1", gateway=DOMAINS), [[there], [there], [there._replace(beat=2)]])
    assert "domain is gateway.example" not in str(refused.value)


def test_a_name_is_of_one_node() -> None:
    there = row("web1")._replace(id="1" * 16)
    with pytest.raises(CannotJoin, match=r"\[cluster\] node: another data folder is node web1"):
        join(row("web1"), [[there], [there._replace(beat=2)]])


def test_two_protocols_apart_both_are_named() -> None:
    there = row("web2", version="0.4.0", protocol=3)
    with pytest.raises(CannotJoin, match=r"0\.2\.0 speaks protocol 1, and 0\.4\.0 at node web2 speaks 3"):
        join(row("web1"), [[there], [there._replace(run="another life")]])


def test_an_obstacle_that_comes_meanwhile_counts() -> None:
    with pytest.raises(CannotJoin):
        join(row("web1"), [[row("web2", protocol=3)], [row("web2", protocol=3), row("web3", protocol=3)]])


def test_one_that_is_silent_is_none() -> None:
    assert join(row("web1"), [[row("web2", protocol=3)]]) >= 3.0


def test_nodes_understand_one_number_above_and_below() -> None:
    assert [fit(2, other) for other in range(5)] == [False, True, True, True, False]


def test_a_newcomer_is_told_what_differs_and_where() -> None:
    mine = {"auth": "1", "link": "2", "link.secret": "k"}
    own = row("web1", settings=mine)
    (said,) = differences(own, [own, row("web2", settings={**mine, "link": "3"}), row("web3", settings=mine)])
    assert said == "the settings of node web2 differ from those of this one in [link]; the owner's count, whichever node that is"


def test_a_row_that_makes_no_sense_stops_nobody() -> None:
    rows = [row("web2")._replace(info=[1]), row("web3", gateway=7, settings="x")]
    assert join(row("web1", gateway=DOMAINS, settings={}), [rows]) == 0.0
    assert differences(row("web1", settings={}), rows) == []
