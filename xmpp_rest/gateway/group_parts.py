"""What joins a process to the others: of one machine, or of all nodes of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from drivers import Shared
from xmpp_rest.link.transport import MayWrite
from xmpp_rest.processes.group import ProcessGroup
from xmpp_rest.processes.loss import Loss

if TYPE_CHECKING:
    from xmpp_rest.cluster.lease_keeper import LeaseKeeper
    from xmpp_rest.cluster.node_info import NodeInfo

OnLoss = Callable[[Loss], None]
"""Called where this process is to lead no more; it does not wait."""


class ClusterParts(NamedTuple):
    """What a process has of its cluster."""

    keeper: LeaseKeeper
    """Of the lease; it has begun in the process that speaks for its node."""
    shared: Callable[[], Shared]
    """What the nodes share; opened by the first call."""
    info: NodeInfo
    """What this node tells the others of itself."""
    require_fit: Callable[[], None]
    """Raises CannotStart where a node that lives says that this one must not serve; StorageError."""
    has_owner: Callable[[], bool]
    """Whether its domains have an owner now; does not wait."""
    close: Callable[[], None]
    """Closes what was opened, after all else has ended."""
    bell: threading.Event
    """Set when another owner has passed something on to that of this domain."""


class GroupParts(NamedTuple):
    """How a process is joined to the others."""

    group: ProcessGroup
    may_write: MayWrite | None = None
    """Whether the link may be written to now; None: always."""
    cluster: ClusterParts | None = None
    """None: there is this machine alone."""
