"""What this node does for `xmpp-rest cluster`."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.gateway import ClusterControl
from xmpp_rest.auth.rights import Principal
from xmpp_rest.cli.runner import PLACE
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote


class ClusterCalls:
    """Methods raise GatewayError. Those that change something return why they do not, "" if they do."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def _remote(self) -> Remote:
        return self._gateway.parts.remote

    @property
    def _cluster(self) -> ClusterControl:
        return self._gateway.parts.cluster

    @on_leader(of_node=True)
    def figures(self) -> dict[str, Any]:
        """What `/status` tells of the cluster."""
        return self._cluster.figures()

    @on_leader(of_node=True)
    def move(self, domain: str, node: str) -> str:
        """Have another node own a domain."""
        return _recorded("cluster_move", self._cluster.move(domain, node), domain=domain, node=node)

    @on_leader(of_node=True)
    def drain(self) -> str:
        """Have this node be not ready."""
        return _recorded("cluster_drain", self._cluster.drain())

    @on_leader(of_node=True)
    def undrain(self) -> str:
        """Have it be ready again."""
        return _recorded("cluster_undrain", self._cluster.undrain())

    @on_leader(of_node=True)
    def forget(self, node: str) -> str:
        """Remove a node that is silent."""
        return _recorded("cluster_forget", self._cluster.forget(node), node=node)


def _recorded(what: str, refusal: str, **given: str) -> str:
    record(Principal(), PLACE, what, list(given.items()), 409 if refusal else 200)
    return refusal
