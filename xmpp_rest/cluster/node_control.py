"""NodeControl: what administrators see of a cluster, and do to this node (many-machines §13)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from drivers import StorageError
from drivers.shared import Shared
from xmpp_rest.cluster.domain_control import NOT_TAKEN, DomainControl, forget_everywhere
from xmpp_rest.cluster.lasting_clock import lasting_clock
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.node_info import NodeInfo
from xmpp_rest.cluster.rounds import NodeRounds
from xmpp_rest.cluster.status import SILENT, NodeState, states_of, told
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed
from xmpp_rest.metrics.families import Figures, sample
from xmpp_rest.processes.election import ROLE_TIMEOUT
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote

log = logging.getLogger("xmpp_rest.server")

DRAIN = "drain"  # the broadcast
SPREAD = 10.0  # seconds over which the event streams of a node that drains end


class NodeStreams(Protocol):
    """The event streams of this process."""

    @property
    def count(self) -> int: ...
    def end_over(self, seconds: float, goes_on: Callable[[], bool]) -> None:
        """End those that are open, spread over this time, as long as it `goes_on`. Returns at once."""


class NodeControl:
    """Of one process; the speaker of its node answers."""

    grace = ROLE_TIMEOUT

    def __init__(
        self,
        keeper: Callable[[], LeaseKeeper | None],
        shared: Callable[[], Shared],
        info: NodeInfo,
        settings: Settings,
        streams: NodeStreams,
        rounds: NodeRounds,
        remote: Remote,
        clock: Callable[[], float] = lasting_clock,
        apart: Sequence[DomainControl] = (),
    ) -> None:
        """`keeper`: None in a process that does not speak for its node; `clock`: the keeper's.

        `apart`: of the hosted domains that have owners of their own.
        """
        self._apart = {control.domain: control for control in apart}
        self._keeper = keeper
        self._clock = clock
        self._shared = shared
        self._info = info
        self._settings = settings
        self._streams = streams
        self._remote = remote
        self._rounds = rounds
        remote.offer(self)
        self._has_role = False
        remote.on_broadcast(DRAIN, self._end_streams)
        remote.on_role(self._take_role)

    def _take_role(self, _: bool) -> None:
        """A process that begins in a node that drains, or begins again as it owns no more, ends what is opened with it meanwhile."""
        is_first, self._has_role = not self._has_role, True
        if is_first and self.draining:
            self._end_streams()

    def configure(self, settings: Settings) -> None:
        """Tell the other nodes that these settings are in force."""
        self._info.configure(settings)
        self._rounds.compare_again()

    @property
    def draining(self) -> bool:
        return self._info.mark.is_set

    # what is seen

    @property
    def owner_elsewhere(self) -> str:
        keeper = self._keeper()
        owner = keeper.owner if keeper is not None else None
        return owner.node if owner is not None and keeper is not None and owner.node != keeper.identity.node else ""

    def gauges(self) -> Figures:
        apart = {name: value for control in self._apart.values() for name, value in control.gauges().items()}
        if (keeper := self._keeper()) is None:
            return apart
        owner, domains = keeper.owner, [domain for domain in self._settings.domains if domain not in self._apart]
        return apart | {
            **{sample("cluster_owner", domain): float(keeper.holds) for domain in domains},
            **{sample("cluster_epoch", domain): float(owner.epoch) for domain in domains if owner is not None},
            "cluster_nodes": float(len(self._living(keeper))),
            **({"cluster_journal_rows": float(self._rounds.journal_rows)} if keeper.holds else {}),
        }

    @on_leader(of_node=True)
    def figures(self) -> dict[str, Any]:
        """`cluster` of `/status`."""
        keeper, cluster = self._speaking(), self._settings.cluster
        owners = dict.fromkeys(self._settings.domains, keeper.owner) | {name: each.owner() for name, each in self._apart.items()}
        return told(keeper.identity.node, cluster.kind, self._rounds.copies, owners, keeper.owner, self._states(keeper))

    @on_leader(of_node=True)
    def living(self) -> list[str]:
        return self._living(self._speaking())

    def _living(self, keeper: LeaseKeeper) -> list[str]:
        return [each.row.node for each in self._states(keeper) if each.state != SILENT]

    def _states(self, keeper: LeaseKeeper) -> list[NodeState]:
        heard = {node: (seen.row, seen.heard) for node, seen in keeper.nodes().items()}
        return states_of(heard, self._clock(), self._settings.cluster.lease)

    def _speaking(self) -> LeaseKeeper:
        keeper = self._keeper()
        if keeper is None:
            raise GatewayError("link-down", "The node has no connection to its cluster; try again later")
        return keeper

    # what is done

    @on_leader(of_node=True)
    def move(self, domain: str, node: str) -> str:
        keeper = self._speaking()
        if domain not in self._settings.domains:
            return f"{domain} is not hosted here; write one of {', '.join(self._settings.domains)}"
        if node not in self._living(keeper):
            keeper.look_anew()  # it may have begun a moment ago
        if node not in (names := self._living(keeper)):
            return f"there is no living node {node}; write one of {', '.join(names)}"
        if (apart := self._apart.get(domain)) is not None:
            return apart.move(node)
        if keeper.owner is None:
            return f"nobody owns {domain} now; a node that may own takes it by itself"
        return "" if keeper.owner.node == node else self._hand_to(node)

    @on_leader
    def _hand_to(self, node: str) -> str:
        """In the owner: have that node own next."""
        keeper = self._speaking()
        if node not in keeper.others():
            keeper.look_anew()  # as another node knows it
        if keeper.move_to(node):
            return ""
        return NOT_TAKEN.format(node)

    @on_leader(of_node=True)
    def drain(self) -> str:
        keeper = self._speaking()
        try:
            self._info.mark.set()
        except OSError as e:
            return f"that this node drains cannot be kept in its data folder: {e.strerror}"
        log.warning("node %s drains: it is not ready, and its event streams end within %.0f s", keeper.identity.node, SPREAD)
        self._remote.tell_node(DRAIN)
        self._end_streams()
        self._look_apart()
        self._release(keeper)
        return ""

    @on_leader(of_node=True)
    def undrain(self) -> str:
        keeper = self._speaking()
        try:
            self._info.mark.clear()
        except OSError as e:
            return f"that this node does not drain cannot be kept in its data folder: {e.strerror}"
        log.warning("node %s does not drain any more", keeper.identity.node)
        keeper.look()
        self._look_apart()
        return ""

    def _look_apart(self) -> None:
        """Have what else this node owns, or is to own, be looked at; it is within a part of a lease anyway."""
        for control in self._apart.values():
            try:
                control.look()
            except GatewayError as e:
                log.debug("who is to own %s is not looked at yet: %s", control.domain, e)

    @on_leader(of_node=True)
    def forget(self, node: str) -> str:
        state = next((each for each in self._states(self._speaking()) if each.row.node == node), None)
        if state is None:
            return f"there is no node {node}"
        if state.state != SILENT:
            return f"node {node} lives; stop it first"
        try:
            if not self._shared().forget(node, state.row):
                return f"node {node} lives again"
            forget_everywhere([*self._apart.values()], node)
            return ""
        except StorageError as e:
            raise storage_failed(e, ERRORS["storage-failed"].text) from e

    def _release(self, keeper: LeaseKeeper) -> None:
        """Own nothing, if another node may own instead; else it goes on until there is one."""
        if keeper.holds and keeper.others():
            keeper.give_up("it drains")

    def _end_streams(self) -> None:
        self._streams.end_over(SPREAD, lambda: self.draining)
