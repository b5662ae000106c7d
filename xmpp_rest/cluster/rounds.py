"""NodeRounds: what is looked after every few seconds: streams of the node, clocks, settings, the standby, nodes that are long gone."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence

from drivers import StorageError
from drivers.shared import NodeRow, Shared
from xmpp_rest.cluster.clocks import ClockComparison
from xmpp_rest.cluster.domain_control import DomainControl, forget_everywhere
from xmpp_rest.cluster.joining import differences
from xmpp_rest.cluster.lasting_clock import lasting_clock
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.node_info import NodeInfo
from xmpp_rest.cluster.status import LISTED
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote

log = logging.getLogger("xmpp_rest.server")

EVERY = 2.0  # seconds between two reports of a process
ROUND = 5  # reports between two looks at all else
NO_STANDBY = "[cluster] copies is 2, and the database has no synchronous standby: what is accepted now is on one machine alone"


class NodeRounds:
    """Of one process. Begins with its first role, ends with the timers of `remote`."""

    def __init__(
        self,
        keeper: Callable[[], LeaseKeeper | None],
        shared: Callable[[], Shared],
        info: NodeInfo,
        settings: ClusterSettings,
        count: Callable[[], int],
        remote: Remote,
        incidents: Incidents,
        time_of_day: Callable[[], float] = time.time,
        clock: Callable[[], float] = lasting_clock,
        apart: Sequence[DomainControl] = (),
    ) -> None:
        """`keeper`: None in a process that does not speak for its node; `count`: open event streams of this process.

        `apart`: of the hosted domains that have owners of their own.
        """
        self._apart = apart
        self._keeper = keeper
        self._shared = shared
        self._info = info
        self._settings = settings
        self._count = count
        self._remote = remote
        self._incidents = incidents
        self._time_of_day = time_of_day
        self._clock = clock
        self._clocks = ClockComparison()
        self._told: tuple[int, str, int] | None = None  # what the speaker knows
        self._has_begun = self._has_compared = False
        self._number = 0
        self.copies = settings.copies
        """How many machines have what is accepted now."""
        self.journal_rows = 0
        """Promises in the journals, where this node owns."""
        remote.offer(self)
        remote.on_role(self._take_role)
        remote.on_node_left(info.forget)

    def compare_again(self) -> None:
        """The settings of this node are others now."""
        self._has_compared = False

    def _take_role(self, _: bool) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._remote.pool.submit(self._tick)

    def _tick(self) -> None:
        try:
            self._report()
            if (keeper := self._keeper()) is not None:
                self._number += 1
                if self._number % ROUND == 1:
                    self.look(keeper)
        except (GatewayError, StorageError) as e:
            log.debug("what is told of this node is not up to date: %s", e)
        except Exception:
            log.exception("the cluster could not be looked after")
        finally:
            self._remote.timers.after(EVERY, lambda: self._remote.pool.submit(self._tick))

    def _report(self) -> None:
        """Tell the speaker of the node how many streams are open here, where that has changed, or where it may be another speaker."""
        told = os.getpid(), self._remote.group.id, self._count()
        if told != self._told:
            self.count_streams(*told)
            self._told = told

    @on_leader(of_node=True, repeatable=True)
    def count_streams(self, process: int, member: str, streams: int) -> None:
        """In the speaker: a process of the node has so many."""
        self._info.count_streams(process, member, streams)

    def look(self, keeper: LeaseKeeper) -> None:
        """In the speaker: look after all that is not of one process. Raises StorageError."""
        living = keeper.living()
        own = next((row for row in living if row.node == keeper.identity.node), None)
        if own is not None:
            self._compare(own, living)
        shared = self._shared()
        before = self._time_of_day()
        ahead = (before + self._time_of_day()) / 2 - shared.clock()
        self._info.set_clock(ahead)
        self._clocks.look(ahead, (row for row in living if row.node != keeper.identity.node))
        self._look_at_standby(shared)
        self.journal_rows = sum(shared.journal_sizes().values()) if keeper.holds else 0
        if keeper.holds:
            self._forget(keeper, shared)
            if self._info.mark.is_set and keeper.others():
                keeper.give_up("it drains")

    def _compare(self, own: NodeRow, living: list[NodeRow]) -> None:
        if not self._has_compared:
            self._has_compared = True
            if found := differences(own, living):  # not each time that this process begins again, as it owns no more
                self._incidents.report(log, "settings-differ", "%s", "; ".join(found))

    def _look_at_standby(self, shared: Shared) -> None:
        if self._settings.copies == 2:
            self.copies = shared.standby_settings().copies
            if self.copies < 2:
                self._incidents.report(log, "no-standby", NO_STANDBY)

    def _forget(self, keeper: LeaseKeeper, shared: Shared) -> None:
        """Remove the nodes that have been silent for so long that they are not listed any more."""
        now = self._clock()
        for name, seen in keeper.nodes().items():
            if now - seen.heard > LISTED and shared.forget(name, seen.row):
                log.info("node %s is forgotten: it was silent for an hour", name)
                forget_everywhere([*self._apart], name)
