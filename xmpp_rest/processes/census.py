"""The number of processes of the gateway, or of this node of it."""

from __future__ import annotations

from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote


class Census:
    """Counts the processes; the speaker knows them all."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        remote.offer(self)

    @on_leader(repeatable=True, of_node=True)
    def count(self) -> int:
        """How many serve now, this one included. Raises GatewayError."""
        return 1 + len(self._remote.group.node_followers)
