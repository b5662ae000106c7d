"""One gateway in one process: how it starts, stops, and goes on after a fork."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from drivers import Driver, StorageError
from drivers.lease import LeaseTaken
from xmpp_rest.answered import Answers, Observer
from xmpp_rest.api.gateway import Check
from xmpp_rest.config.live import Merged
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.data_folder import ready_folder
from xmpp_rest.gateway.ending import close_parts, cut_links, end_parts, end_waiting, give_up, hand_over, has_successor
from xmpp_rest.gateway.group_starts import start_all
from xmpp_rest.gateway.node_reloads import NodeReloads, Reloaded
from xmpp_rest.gateway.open_storage import open_storage
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.gateway.put_in_force import put_in_force, reread
from xmpp_rest.gateway.readiness import Readiness
from xmpp_rest.gateway.requests_in_progress import RequestsInProgress
from xmpp_rest.gateway.wiring import build
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.loss import Loss, LossKind
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.administrator import ensure_administrator
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.server")

RETRY = 2.0  # seconds between two attempts to start
OUTLIVED = 60.0  # seconds for which requests may still read by parts that were replaced
GRACE = 2.0  # seconds for answers to iqs that are under way at a stop: nearly all come within some milliseconds

OfferCalls = Callable[["Gateway", Remote], None]
"""Offers what the command line calls in this gateway."""


class Gateway:
    """Everything behind the APIs. Built without a side effect beyond the data folder; threads and sockets begin with `start()`.

    Owned by the Flask application; `start()` may be called by any request, and does its work once in each process.
    """

    def __init__(self, settings: Settings, offer_calls: OfferCalls | None = None) -> None:
        """`offer_calls`: None: the command line cannot reach this gateway."""
        self.settings = settings
        self.incidents = Incidents()
        self.data_dir = Path(settings.base) / settings.server.data_dir
        ready_folder(self.data_dir, Path(settings.base))
        self.driver: Driver = open_storage(settings, self.data_dir)
        self._offer_calls = offer_calls
        self.began = time.time()
        self._loop: SocketLoop | None = None  # of the server that serves this process
        self._on_loss: Callable[[], None] | None = None  # ends the server, which can serve nothing without the lease of the storage
        self._locks: dict[int, OrderLock] = {}
        self._failed: Exception | None = None  # why it could not start
        self._failed_at = 0.0  # monotonic time
        self._ended = threading.Event()
        self._stopping = False
        self._readiness = Readiness(self)
        self._pid = 0  # of the process in which the parts are started
        self._forked_from = os.getpid() if settings.cluster.is_on else 0  # of the process in which they were started before, or got a run
        self.answers = Answers(self._observers)
        self._reloads: NodeReloads | None = None  # where there are other machines
        self.in_progress = RequestsInProgress() if settings.cluster.is_on else None
        """Requests; None where the parts are never replaced in a process."""
        self.parts = self._build()
        """Rebuilt in a process that was forked off after `start()`, as no part must be kept across a fork, or that leads no more."""

    def _observers(self) -> tuple[Observer, ...]:
        return self.parts.observers

    def _build(self, former_key: bytes | None = None) -> Parts:
        parts = build(
            self.settings, self.driver, self.data_dir, self.incidents, lambda: self.answers.under_way, self.began, self._lead_no_more,
            former_key,
        )  # fmt: skip
        parts.remote.on_broadcast("reload", self._follow)
        cluster = self.settings.cluster
        self._reloads = NodeReloads(cluster.node, self._reload_named, parts.remote) if cluster.is_on else None
        if self._offer_calls is not None:
            self._offer_calls(self, parts.remote)
        if self._loop is not None:
            parts.read_by(self._loop)
        return parts

    def read_by(self, loop: SocketLoop) -> None:
        """Have the event loop of the server read what other processes say. Called before `start`, in the process that serves."""
        self._loop = loop
        self.parts.read_by(loop)

    def reload(self) -> Merged:
        """Read the configuration again and put in force what can be. Raises SettingsError, and then all is as it was."""
        merged = reread(self.settings)
        before, self.settings = self.settings, merged.settings
        put_in_force(self.parts, before, merged)
        return merged

    def _follow(self) -> None:
        """`reload`, once another process has found the configuration to be right."""
        try:
            self.reload()
        except SettingsError as e:  # it was changed again meanwhile
            log.error("the configuration counts as it was: %s", e)

    def reload_elsewhere(self, known: Sequence[str]) -> list[str]:
        """Have the other processes do the same; a sentence for each node where not all is in force but what is known to need a restart.

        Raises GatewayError.
        """
        if self._reloads is not None:
            return self._reloads.elsewhere(known)
        self.parts.remote.broadcast("reload")
        return []

    def _reload_named(self) -> Reloaded:
        """`reload`, for a process of another node that asks; what is wrong is told without the folder of the file."""
        node = self.settings.cluster.node
        try:
            return Reloaded(node, "", self.reload().waiting)
        except SettingsError as e:
            return Reloaded(node, f"nothing was changed there: {str(e).replace(self.settings.base + os.sep, '')}", [])
        except Exception:
            log.exception("the configuration could not be read again")
            return Reloaded(node, "it failed; the log of that node says why", [])

    def prepare(self) -> None:
        """Take the storage's lease, and make sure that there is an administrator. Raises GatewayError, StorageError, LeaseTaken."""
        self.parts.lease.claim()
        if (cluster := self.parts.joined.cluster) is not None:
            cluster.require_fit()
        ensure_administrator(self.parts.accounts, self.settings.auth.admins, self.settings.auth.admin_password, self.data_dir)

    def start(self) -> None:
        """Begin to serve in this process; what was started already stays as it is.

        Raises StorageError, GatewayError; then the next call tries again, but not within RETRY seconds. After `stop` it raises link-down.
        """
        if self._pid == os.getpid():  # the usual case
            return
        with self._lock:
            if self._pid == os.getpid():
                return
            if self._ended.is_set():
                raise GatewayError("link-down", "The gateway is being stopped")
            if self._failed is not None and time.monotonic() < self._failed_at + RETRY:
                raise self._failed.with_traceback(None)
            try:
                self._start()
            except LeaseTaken:
                raise
            except (StorageError, GatewayError) as e:
                self._failed, self._failed_at = e, time.monotonic()
                raise
            self._failed = None

    def _start(self) -> None:
        if self._forked_from not in (0, os.getpid()):
            try:
                self.parts, self._forked_from = self._build(self.parts.process_key.latest), 0  # once, however often the rest is tried
            except OSError as e:
                raise GatewayError("link-down", "This node cannot serve now; try again later") from e
        self.parts.lease.join()
        self.prepare()
        start_all(self.parts.remotes)
        self.parts.lease.start(self._lose)
        self._pid = self._forked_from = os.getpid()

    @property
    def _lock(self) -> OrderLock:
        """Held while this process starts or stops: one for each process, as a thread may have that of the parent at the fork."""
        return self._locks.get(os.getpid()) or self._locks.setdefault(os.getpid(), OrderLock())

    def start_in_time(self, is_lasting: Callable[[Exception], bool], on_loss: Callable[[], None] | None = None) -> None:
        """As `start`; but a thread retries what fails until it works, or the process ends. Until then requests get 503.

        `on_loss` is called once another gateway has the storage, and nothing can be served any more. Raises what is lasting.
        """
        self._on_loss = on_loss
        try:
            self.start()
        except Exception as e:  # for a server that gives up if a process cannot start
            if is_lasting(e):
                raise
            self._start_soon(e)

    def _start_soon(self, why: Exception) -> None:
        log.error("the gateway cannot begin, and tries again until it can: %s", why, exc_info=not isinstance(why, StorageError))
        threading.Thread(target=self._start_later, name="start", daemon=True).start()

    def _start_later(self) -> None:
        said = ""
        while not self._ended.wait(RETRY):
            try:
                self.start()
            except Exception as e:
                if said != (said := str(e)):
                    log.warning("the gateway still cannot begin: %s", e)
            else:
                log.info("the gateway has begun: what failed before works again")
                return

    def end_waiting(self) -> None:
        """The server is about to stop: streams end now, and requests that wait for an iq after GRACE, if they still do."""
        self._stopping = True
        if self._pid == os.getpid():
            self.parts.leader.stops_soon()
            for cluster in self.parts.clusters:
                cluster.keeper.withdraw()  # another process of this node ends next
        self.parts.streams.stop()
        self._ended.wait(GRACE)
        end_waiting(self.parts)

    def hand_over(self) -> None:
        """Before `stop`, while the event loop goes on: if this process leads, no call of another one is lost (bounded)."""
        if self._pid == os.getpid() and not self.parts.lease.lost:
            if not has_successor(self.parts):
                self.parts.leader.wait_for_others()
            hand_over(self.parts)

    @property
    def stopping(self) -> bool:
        return self._stopping or self._ended.is_set()

    @property
    def lost(self) -> bool:
        return self.parts.lease.lost

    def checks(self) -> list[Check]:
        return self._readiness.checks()

    @property
    def has_begun(self) -> bool:
        return self._pid == os.getpid()

    def storage_answers(self) -> bool:
        return self._readiness.storage_answers()

    def _lose(self) -> None:
        """Another gateway has the storage: change nothing in it any more. Requests are refused (application.py)."""
        try:
            end_waiting(self.parts)
            end_parts(self.parts, has_storage=False)
        finally:
            if self._on_loss is not None:
                self._on_loss()

    def _lead_no_more(self, loss: Loss) -> None:
        """Another node is to lead: called with a loss of the parts in use, by a thread that must not be held up."""
        threading.Thread(target=self._replace, args=(loss, self.parts), name="replacement", daemon=True).start()

    def _replace(self, loss: Loss, parts: Parts) -> None:
        """End the parts, and go on with new ones, which follow, or lead again some time. Requests wait meanwhile (many-machines §8)."""
        in_progress, driver = self.in_progress, self.driver
        assert in_progress is not None
        if loss.kind is not LossKind.GIVEN_UP:
            cut_links(parts, all_of_them=loss.kind is LossKind.DISPLACED)
        with self._lock:
            if self._ended.is_set() or self._pid != os.getpid() or self.parts is not parts:
                return
            begun = in_progress.hold()
            try:
                give_up(parts, loss, lambda seconds: in_progress.wait_for(begun, seconds))
            except Exception:
                log.exception("what this process led has not ended as it should")  # but it has ended
            try:
                self._pid = 0
                if loss.kind is LossKind.DISPLACED:
                    self._ended.set()
                else:
                    self._forked_from = -1  # no process: the next start builds first
                    self.driver = open_storage(self.settings, self.data_dir)  # that of the former parts stays fenced
                    self._start()
            except Exception as e:
                self._failed, self._failed_at = e, time.monotonic()
                self._start_soon(e)
            finally:
                in_progress.go_on()
        if loss.kind is LossKind.DISPLACED and self._on_loss is not None:
            self._on_loss()
        in_progress.wait_for(begun, OUTLIVED)
        driver.close()

    def stop(self) -> None:
        """End the link first, so that no more stanzas come in; then the rest."""
        self.hand_over()
        self._ended.set()
        with self._lock:  # a start that is under way comes to its end first, and no other one follows
            was_started, self._pid = self._pid == os.getpid(), 0
        try:
            if was_started:
                end_parts(self.parts, has_storage=not self.parts.lease.lost, keeps_rooms=has_successor(self.parts))
        finally:
            close_parts(self.parts, self.driver, have_begun=was_started)
