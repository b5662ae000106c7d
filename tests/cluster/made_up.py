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

    def living(self) -> list[str]:
        return ["web1", "web2"]

    def figures(self) -> dict[str, Any]:
        nodes = [{"node": f"web{number}", "streams": number, "state": "silent" if number == 3 else "ready"} for number in (1, 2, 3)]
        owners = [{"domain": DOMAIN, "node": "web2", "epoch": 1, "here": False}]
        return {"kind": "postgresql", "node": "web1", "owners": owners, "nodes": nodes, "members": 2}
