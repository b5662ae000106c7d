"""The settings of several machines that are one gateway (many-machines §3)."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.config import cluster_readers, readers
from xmpp_rest.config.setting import setting

NONE, POSTGRESQL = "none", "postgresql"


@dataclass(frozen=True)
class ClusterSettings:
    """Several machines that are one gateway: docs/many-machines.md. All of it is read at the start alone."""

    kind: str = setting(NONE, readers.choice(NONE, POSTGRESQL), "none: one machine. postgresql: with all nodes that use the database of [storage] url and the same [gateway] domain; each has a data_dir of its own.")
    node: str = setting("", cluster_readers.node, "Name of this node in logs and lists: 1 to 32 letters, digits, dots, hyphens, underscores. Empty: the name of the host, cut off there.")
    lease: float = setting("3", readers.seconds(1, 60), "Seconds of silence after which a node counts as gone; the same on all nodes.")
    copies: int | None = setting("", cluster_readers.copies, "Machines that hold what is accepted before the answer 202, to be chosen where kind = postgresql. 1: the database's own; a failover to an asynchronous standby may lose the last moments. 2: also a synchronous standby's, so the loss of any one machine loses nothing; without the standby nothing is accepted.")
    spread: bool = setting("no", readers.yes_or_no, "no: one node owns all hosted domains. yes: the domain of the accounts, that of rooms_domain and that of conference_domain have an owner each, shared out over the nodes; the same on all nodes.")
    may_own: bool = setting("yes", readers.yes_or_no, "no: this node serves HTTP alone, and never owns the link.")
    notify: bool = setting("yes", readers.yes_or_no, "no: the database is polled instead of LISTEN and advisory locks, for engines and poolers without them.")
    poll: float = setting("0.02", readers.seconds(0.001, 1), "Seconds between two looks into the database, where notify = no.")
    url: str = setting("", cluster_readers.database, "A direct way to the database of [storage] url, where that goes through a pooler. Empty: [storage] url.", secret=True)

    @property
    def is_on(self) -> bool:
        """Whether there is a cluster."""
        return self.kind != NONE
