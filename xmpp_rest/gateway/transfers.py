"""Transfers: what the owner of some hosted domains passes on to the owners of others, and they to it (many-machines §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xmpp_rest.cluster.transfer_in import IncomingTransfers
    from xmpp_rest.cluster.transfer_out import OutgoingTransfers


class Transfers(NamedTuple):
    """Of one owner, in one process."""

    outgoing: OutgoingTransfers
    incoming: IncomingTransfers
