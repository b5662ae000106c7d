"""The status line of a service tells how the streams are, or which node has them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cluster.made_up import MadeUpNode
from tests.conftest import DOMAIN, MakeApp
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.link_watch import LinkWatch

LINK = {"link_kind": "component", "link_secret": "x", "link_port": "1", "gateway_rooms_domain": "", "gateway_conference_domain": ""}


@pytest.fixture
def gateway(make_app: MakeApp) -> Gateway:
    found: Gateway = make_app(**LINK).extensions["gateway"]
    return found


def test_the_leader_tells_of_its_streams_when_they_change(gateway: Gateway) -> None:
    told: list[tuple[str, str]] = []
    watch = LinkWatch(gateway, lambda domain, state: told.append((domain, state)))
    watch.look()
    assert not told
    gateway.start()
    states = iter([("connecting", ""), ("connecting", ""), ("waiting", "unreachable"), ("online", "")])
    status = [{"domain": DOMAIN, "state": state, "reason": reason, "outbox": 0} for state, reason in states]
    gateway.parts = replace(gateway.parts, link_status=lambda: [status.pop(0)])
    while status:
        watch.look()
    assert told == [(DOMAIN, "connecting"), (DOMAIN, "unreachable"), (DOMAIN, "online")]


def test_a_node_that_does_not_own_tells_who_does(gateway: Gateway) -> None:
    told: list[tuple[str, str]] = []
    watch = LinkWatch(gateway, lambda domain, state: told.append((domain, state)))
    node = MadeUpNode()
    gateway.parts = replace(gateway.parts, cluster=node)
    for node.owner_elsewhere in ("web2", "web2", "", "web3"):
        watch.look()
    assert [state for domain, state in told if domain == DOMAIN] == ["at node web2", "at node web3"]


def test_it_goes_on_while_parts_are_replaced(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def look() -> None:
        looks.append("")
        if len(looks) < 3:
            raise GatewayError("link-down")
        gateway.stop()

    watch = LinkWatch(gateway, lambda *_: None)
    monkeypatch.setattr("xmpp_rest.gateway.link_watch.PERIOD", 0.0)
    monkeypatch.setattr(watch, "look", look)
    watch.start()
    watch._thread.join(60)
    assert len(looks) == 3
