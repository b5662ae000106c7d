"""LeaseKeeper: the lease as the speaker of one node sees it: who owns, and whether that is this node (many-machines §6)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from drivers import StorageError
from drivers.shared import LeaseRow, NodeRow, Shared
from xmpp_rest.cluster.candidate import Candidate
from xmpp_rest.cluster.fair_share import FairShare
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.lasting_clock import lasting_clock
from xmpp_rest.cluster.lease_term import length_of
from xmpp_rest.cluster.looks import Looks
from xmpp_rest.cluster.node_beat import NodeBeat
from xmpp_rest.cluster.node_list import NodeList, NodeSeen
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.cluster.owner_news import OwnerNews
from xmpp_rest.cluster.ownership import Ownership
from xmpp_rest.cluster.passing_on import may_own
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.loss import Loss, LossKind

log = logging.getLogger("xmpp_rest.server")

LOOKS = 6  # in the time of a lease
HURRY = 5  # times as many, while an owner seems to be gone


class LeaseKeeper:
    """One life of a speaker. `start` and `stop` are called once each, by who has locked the folder; its thread does the rest.

    It takes the lease once it is nobody's, and holds it until `stop`, or until it is lost: then it takes it no more.
    """

    def __init__(
        self,
        shared: Callable[[], Shared],
        hosted: str,
        hosts: tuple[str, ...],
        identity: NodeIdentity,
        settings: ClusterSettings,
        describe: Callable[[], Mapping[str, Any]],
        incidents: Incidents,
        clock: Callable[[], float] = lasting_clock,
        drains: Callable[[], bool] = bool,
        spread: Collection[str] = (),
    ) -> None:
        """`hosted`: the domain whose lease it is; `hosts`: those whose contents are written under it; `describe`: `info` of the node.

        `drains`: whether the node is to take no lease now; `bool`: never. `spread`: the domains that have owners of their own.
        """
        self.identity = identity
        self._shared = shared
        self._hosted = hosted
        self._hosts = hosts
        self._settings = settings
        self._presence = NodeBeat(identity, settings.kind, describe, clock)
        self._incidents = incidents
        self._clock = clock
        self._candidate = Candidate(hosted, identity.node, settings.lease, self._presence, has_locks=settings.notify)
        self._share = FairShare(hosted, spread, identity.node, settings.lease)
        self._nodes = NodeList(settings.lease)
        self._ownership = Ownership(settings.lease, clock, has_locks=settings.notify)
        self._drains = drains
        self._has_withdrawn = False
        self._news = OwnerNews()
        self._on_look: list[Callable[[], None]] = []
        self._on_loss: list[Callable[[Loss], None]] = []
        self._wake = threading.Event()
        self._looks = Looks()
        self._taken = threading.Event()  # or to be stopped
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=run, name="lease", daemon=True) for run in (self._run, self._watch_term)]

    # what others ask

    @property
    def owner(self) -> LeaseOwner | None:
        """Who owns, for all that this node knows; None: nobody, or a node that is silent."""
        return self._news.owner

    @property
    def _takes(self) -> bool:
        """Whether this node takes the lease once it is nobody's. What is held is kept: see `give_up`."""
        return self._settings.may_own and not self._has_withdrawn and not self._drains()

    @property
    def holds(self) -> bool:
        """Whether this node owns, and has not begun to give that up."""
        return self._ownership.holds

    @property
    def owns(self) -> bool:
        """Whether this node owns, also while it hands over."""
        return self._ownership.owns

    def may_write(self) -> bool:
        """Whether this node may write to the link now."""
        return self._ownership.may_write()

    @property
    def epoch(self) -> int:
        """Of the lease that this node holds, or has held; 0: it has held none."""
        return self._ownership.epoch

    @property
    def loss(self) -> Loss | None:
        """Why this node gives up, or has given up, what it owned."""
        return self._ownership.loss

    def nodes(self) -> Mapping[str, NodeSeen]:
        """All nodes that have a row, by name, as they were last read."""
        return self._nodes.all()

    def living(self) -> list[NodeRow]:
        """The nodes that were heard of within a lease."""
        return self._nodes.living(self._clock())

    def own_row(self) -> NodeRow:
        """What this node tells the others."""
        return self._presence.row(takes=self._takes)

    # what others tell

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever another owns, or nobody; on a thread that must not be held up."""
        self._news.on_change(listener)

    def on_loss(self, listener: Callable[[Loss], None]) -> None:
        """Call `listener` once this node is to own no more; on a thread that must not be held up."""
        self._on_loss.append(listener)

    def on_look(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each look; on the thread that looks."""
        self._on_look.append(listener)

    def look(self) -> None:
        """Look at once, as the owner may have changed. Any thread may call this."""
        self._wake.set()

    def look_anew(self) -> None:
        """Return once a look that begins after this call has ended (bounded): who has just come or gone is known then. Any thread may."""
        if self._threads[0].is_alive():
            self._looks.wait_for_new(self.look, self._settings.lease)

    def withdraw(self) -> None:
        """Take the lease no more, as this process is about to end."""
        self._has_withdrawn = True
        self.look()

    def give_up(self, reason: str, to: str = "", *, rest: float = 0.0) -> bool:
        """Have another node own, in an orderly way: `to`, or any. False: this node does not own.

        `rest`: seconds for which this one takes no lease that another node may take.
        """
        if not self._lose(Loss(LossKind.GIVEN_UP, reason, to)):
            return False
        self._presence.pass_on(self.epoch, to)
        self._presence.rest(rest)
        self.look()
        return True

    def keep(self) -> None:
        """Have the next life of this node take what it holds, and no other node meanwhile. Called before `stop`."""
        if self.holds and self._takes:
            self._presence.pass_on(self.epoch, self.identity.node)

    def move_to(self, node: str) -> bool:
        """`give_up` to this node; False: this one does not own, or that one does not live, or may not own."""
        return node in self.others() and self.give_up(f"it was moved to {node}", node)

    def others(self) -> set[str]:
        """The other living nodes that may own."""
        return {row.node for row in self.living() if row.node != self.identity.node and may_own(row)}

    # its life

    def start(self) -> None:
        """Begin to look, in threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a lease that is still held is released, so that the next one need not wait (bounded)."""
        self._stopping.set()
        self._wake.set()
        self._taken.set()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(self._settings.lease)
        self._release()
        self._news.tell(self._known_owner)

    def _release(self) -> None:
        if not self._ownership.end():
            return
        try:
            self._presence.count(self._shared(), takes=self._takes)  # with whom it is for
            self._shared().release(self._hosted, self.identity.run, self.epoch)
        except StorageError as e:
            log.warning("the lease of %s could not be released, and ends by itself: %s", self._hosted, e)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self.turn()
            self._wake.wait(self._pause())

    def turn(self) -> None:
        """Look once, and do what follows from it. Called by its thread. Raises nothing."""
        with self._looks.under_way():
            try:
                self._look()
                for listener in self._on_look:
                    listener()
            except StorageError as e:
                self._failed(e)
            except Exception as e:
                self._failed(e)
                self._incidents.report(log, "lease-look", "the lease could not be looked after: %s", e, level=logging.ERROR, trace=True)
            self._news.tell(self._known_owner)

    def _watch_term(self) -> None:
        """Give up at the end of the term, whatever the database does."""
        while not self._stopping.is_set():
            if (until := self._ownership.until) is None:
                self._taken.wait()
                self._taken.clear()
            else:
                self._stopping.wait(max(0.0, until - self._clock()))
                self.expire()

    def expire(self) -> None:
        """Give up if the term is over. Called by a thread of its own, which no database holds up."""
        if self._ownership.is_over():
            self._lose(Loss(LossKind.LOST, f"it could not be renewed for {length_of(self._settings.lease):g} s"))
            self._news.tell(self._known_owner)

    def _pause(self) -> float:
        """Seconds until the next look."""
        usual: float = self._settings.lease / LOOKS
        return usual / HURRY if not self._ownership.has_begun and self._candidate.suspects(self._clock(), usual) else usual

    def _failed(self, error: Exception) -> None:
        self._candidate.failed()
        self._nodes.failed()
        text = "the database cannot be asked about the lease of %s: %s"
        self._incidents.report(log, "lease-unknown", text, self._hosted, " ".join(str(error).split()))

    def _look(self) -> None:
        shared = self._shared()
        if self.owns:
            self._renew(shared)
        displaced = self._presence.count(shared, takes=self._takes)
        if self._stopping.is_set():  # a slow database has outlasted `stop`: the row is that of the next speaker by now
            return
        if displaced:
            self._lose(Loss(LossKind.DISPLACED, displaced))
            return
        self._nodes.saw(shared.nodes(), self._clock())
        leases = shared.leases()
        self._candidate.saw(leases.get(self._hosted), self._clock())
        rows = [seen.row for seen in self.nodes().values()]
        if self._is_candidate() and self._candidate.may_take(shared, rows, self._clock()) and not self._yields(leases, rows):
            self._take(shared)

    def _yields(self, leases: Mapping[str, LeaseRow], rows: Collection[NodeRow]) -> bool:
        """Whether it leaves the lease to one that owns fewer. What was this node's, or is meant for it, it takes."""
        row = self._candidate.row
        if self._candidate.is_meant(rows):
            return False
        return self._share.yields(leases, self.others() - {row.node if row else ""}, self._clock())

    def _renew(self, shared: Shared) -> None:
        sent = self._clock()
        if not shared.renew(self._hosted, self.identity.run, self.epoch):
            self._lose(Loss(LossKind.LOST, "another node has taken it"))
            return
        self._ownership.renewed(sent)
        if self._settings.notify:  # the session may be a new one
            shared.hold_lock(self._hosted)

    def _is_candidate(self) -> bool:
        return self._takes and self.loss is None and not self._ownership.has_begun and not self._stopping.is_set()

    def _take(self, shared: Shared) -> None:
        taken = self._clock()
        epoch = shared.take(self._hosted, self.identity.node, self.identity.run, self._candidate.row)
        if epoch is None:
            self._wake.set()  # another came first: see who
            return
        shared.fence(self._hosted, self.identity.run, epoch, self._hosts, self._fenced)
        self._ownership.begin(epoch, taken)
        if self._settings.notify:
            shared.hold_lock(self._hosted)
        self._taken.set()

    def _fenced(self) -> None:
        """A transaction was refused, as the lease is another's."""
        self._lose(Loss(LossKind.LOST, "another node has taken it"))

    def _lose(self, loss: Loss) -> bool:
        if not self._ownership.lose(loss):
            return False
        if self._ownership.has_begun:
            log.warning("node %s no longer owns %s (epoch %d): %s", self.identity.node, self._hosted, self.epoch, loss.reason)
        else:
            log.critical("node %s serves no more: %s", self.identity.node, loss.reason)
        for listener in self._on_loss:
            listener(loss)
        self.look()
        return True

    def _known_owner(self) -> LeaseOwner | None:
        if self.holds:
            return LeaseOwner(self._hosted, self.identity.node, self.identity.run, self.epoch)
        row = self._candidate.row
        if row is None or row.run == self.identity.run or not self._candidate.is_owned(self._clock()):
            return None
        return LeaseOwner(self._hosted, row.node, row.run, row.epoch)
