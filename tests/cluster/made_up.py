"""A cluster that is made up, for a gateway on one machine."""

from __future__ import annotations

from typing import Any

from tests.conftest import DOMAIN
from xmpp_rest.service.monitoring.one_machine import OneMachine


class MadeUpNode(OneMachine):
    """This node is web1, which does not own; a third one is silent."""

    def __init__(self) -> None:
        self.draining = False
        self.grace = 10.0
        self.owner_elsewhere = "web2"
        self.owner = "web2"

    def living(self) -> list[str]:
        return ["web1", "web2"]

    def figures(self) -> dict[str, Any]:
        usual = {"version": "0.2.0", "seen": 0.4, "may_own": True, "differs": []}
        states = {1: "ready", 2: "ready", 3: "silent"}
        nodes = [{"node": f"web{number}", **usual, "streams": number, "state": state} for number, state in states.items()]
        owners = [{"domain": DOMAIN, "node": self.owner, "epoch": 1, "here": False}]
        return {"kind": "postgresql", "node": "web1", "owners": owners, "nodes": nodes, "members": 2}
