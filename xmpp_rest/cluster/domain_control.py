"""DomainControl: who owns one hosted domain that has an owner of its own, and how that is changed (many-machines §13)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from drivers import StorageError
from drivers.shared import Shared
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.errors import GatewayError
from xmpp_rest.metrics.families import Figures, sample
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote

log = logging.getLogger("xmpp_rest.server")

NOT_TAKEN = "node {} does not take it: it drains, has [cluster] may_own = no, or the owner is changing already"


class DomainControl:
    """Of one process; the process of its node that speaks for it as to this domain answers."""

    def __init__(
        self, domain: str, keeper: LeaseKeeper, shared: Callable[[], Shared], drains: Callable[[], bool], remote: Remote
    ) -> None:
        """`keeper`: it has begun where this process is that one; `drains`: whether the node is about to be taken away."""
        self.domain = domain
        self._lease = keeper
        self._shared = shared
        self._drains = drains
        self._remote = remote
        remote.offer(self)
        keeper.on_look(self._look)

    @property
    def _keeper(self) -> LeaseKeeper | None:
        return self._lease if self._remote.group.is_speaker else None

    def gauges(self) -> Figures:
        """Those of the node, from the process that knows."""
        if (keeper := self._keeper) is None:
            return {}
        told = {sample("cluster_owner", self.domain): float(keeper.holds)}
        return told if keeper.owner is None else {**told, sample("cluster_epoch", self.domain): float(keeper.owner.epoch)}

    def owner(self) -> LeaseOwner | None:
        """Who owns, for all that this node knows; None: nobody, or that cannot be asked. Raises nothing."""
        try:
            found = self.known_owner()
        except GatewayError as e:
            log.debug("the owner of %s is not known: %s", self.domain, e)
            return None
        return LeaseOwner(self.domain, found[0], found[1], int(found[2])) if found else None

    @on_leader(of_node=True, repeatable=True)
    def known_owner(self) -> list[str]:
        """Node, run and epoch of the owner; nothing: there is none."""
        owner = self._speaking().owner
        return [] if owner is None else [owner.node, owner.run, str(owner.epoch)]

    def move(self, node: str) -> str:
        """Have another node, which lives, own the domain: "" once that has begun, or why not. Raises GatewayError."""
        owner = self.owner()
        if owner is None and self._remote.group.wait_for_leader():  # it has just changed
            owner = self.owner()
        if owner is None:
            return f"nobody owns {self.domain} now; a node that may own takes it by itself"
        return "" if owner.node == node else self.hand_to(node)

    @on_leader
    def hand_to(self, node: str) -> str:
        """In the owner: have that node own next."""
        keeper = self._speaking()
        if node not in keeper.others():
            keeper.look_anew()  # as another node knows it
        return "" if keeper.move_to(node) else NOT_TAKEN.format(node)

    @on_leader(of_node=True, repeatable=True)
    def look(self) -> None:
        """Have the speaker of this node look whether it is to own, or to own no more."""
        self._speaking().look()

    def forget(self, node: str) -> None:
        """Remove the row of a node that is gone. Raises StorageError."""
        shared = self._shared()
        for row in shared.nodes():
            if row.node == node:
                shared.forget(node, row)

    def _look(self) -> None:
        """Own nothing in a node that drains, once another one may own instead."""
        if self._lease.holds and self._drains() and self._lease.others():
            self._lease.give_up("it drains")

    def _speaking(self) -> LeaseKeeper:
        if (keeper := self._keeper) is None:
            raise GatewayError("link-down", "The node has no connection to its cluster; try again later")
        return keeper


def forget_everywhere(controls: list[DomainControl], node: str) -> None:
    """Remove the rows of a node that is gone. What fails is logged: nobody reads them."""
    for control in controls:
        try:
            control.forget(node)
        except StorageError as e:
            log.info("node %s is not forgotten for %s: %s", node, control.domain, e)
