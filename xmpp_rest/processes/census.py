"""The number of processes of the gateway."""

from __future__ import annotations

from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote


class Census:
    """Counts the processes; the leader knows them all."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        remote.offer(self)

    @on_leader(repeatable=True)
    def count(self) -> int:
        """How many serve now, this one included. Raises GatewayError."""
        return self._remote.group.count
