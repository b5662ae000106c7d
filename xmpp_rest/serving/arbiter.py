"""gunicorn's arbiter: the process that forks the workers, watches them, and tells systemd of them (decision 0052)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from gunicorn import sock
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from xmpp_rest.serving.listening import remove_left
from xmpp_rest.serving.notify import Notifier
from xmpp_rest.serving.reports import WorkerReports
from xmpp_rest.serving.succession import Succession

ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
"""The signals by which the arbiter, or a terminal, ends a worker."""
STEP = 0.1  # seconds between two looks while something is expected
YOUNG = 2.0  # seconds that a heartbeat is old enough at any time; our workers have one a second
BOOT = 60.0  # seconds that a worker may take for its first one
ABRUPT = 2.0  # seconds for workers that are to end at once


class SafeArbiter(Arbiter):  # type: ignore[misc]
    """Forks workers with ENDING blocked: the kernel keeps such a signal until the worker calls `accept_ending`.

    gunicorn's own forks them with its handlers in place, which put a signal in a queue that no worker reads; and Python forgets what came
    before it has noticed the fork. A worker told to stop in these milliseconds would serve on, until it is killed after GRACEFUL seconds.
    """

    def __init__(self, app: Any, notifier: Notifier, reports: WorkerReports, refresh: Callable[[], bool]) -> None:
        """`refresh` reads the configuration again, for the workers that follow; False: there is a mistake, and nothing has changed."""
        super().__init__(app)
        self._notifier = notifier
        self._reports = reports
        self._refresh = refresh
        self._succession = Succession()
        self._forked: dict[int, float] = {}  # when, in monotonic time
        self._accepting: set[int] = set()
        self._links: dict[str, str] = {}
        self._is_ready = False  # whether systemd knows that
        self._is_reloading = False
        self._is_stopping = False

    # workers

    def spawn_worker(self) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            pid = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._forked[pid] = time.monotonic()
        return pid

    def manage_workers(self) -> None:
        """Have as many workers as there are to be; those that are leaving do not count."""
        staying, wanted = self._staying(), self._succession.wanted(self.num_workers)
        for _ in range(wanted - len(staying)):
            self.spawn_worker()
        for pid in staying[: max(0, len(staying) - wanted)]:
            self._retire(pid)

    def reap_workers(self) -> None:
        """Raises HaltServer: one could not begin. Not while others serve, whose place it was to take."""
        try:
            super().reap_workers()
        except HaltServer:
            if not self._succession.is_under_way:
                raise

    def _staying(self) -> list[int]:
        """The workers that were not told to end, the oldest first."""
        self._succession.look(self.WORKERS)
        return sorted(self.WORKERS.keys() - self._succession.leaving, key=lambda pid: self.WORKERS[pid].age)

    def _retire(self, pid: int) -> None:
        self._succession.leaving.add(pid)
        self.kill_worker(pid, signal.SIGTERM)

    # between two rounds of gunicorn's loop

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        self._attend()
        expects = not self._is_ready or self._succession.is_under_way
        return super().wait_for_signals(max(STEP, min(STEP if expects else timeout, self._notifier.seconds)))

    def _attend(self) -> None:
        for report in self._reports.read():
            if report.kind == "accepts":
                self._accepting.add(report.pid)
            else:
                domain, state = report.words
                self._links[domain] = state
        self._bury()
        self._replace_next()
        self._tell()

    def _tell(self) -> None:
        """Tell systemd how it goes."""
        begun = len(self._accepting.intersection(self._staying())) >= self.num_workers
        if begun and not self._succession.is_under_way and (self._is_reloading or not self._is_ready):
            self._is_ready, self._is_reloading = True, False
            self._notifier.ready(self._status())
        elif self._is_ready:
            self._notifier.status(self._status())
        if self._is_ready and all(self._is_young(pid) for pid in self.WORKERS):
            self._notifier.alive()

    def _bury(self) -> None:
        """Forget workers that have ended. Where one could not take the place of another, nobody is replaced any more."""
        for pid in self._forked.keys() - self.WORKERS.keys():
            del self._forked[pid]
            if pid not in self._accepting and self._succession.is_under_way:
                self.log.error("a new worker (pid:%s) has ended before it served; the old ones go on", pid)
                self._succession.abandon()
            self._accepting.discard(pid)

    def _replace_next(self) -> None:
        staying = self._staying()
        if (pid := self._succession.next_to_leave(staying, self._accepting, self.num_workers)) is not None:
            self._retire(pid)
            self._succession.look(self.WORKERS)

    def _status(self) -> str:
        count = len(self._accepting.intersection(self._staying()))
        processes = f"serving {count} process{'' if count == 1 else 'es'}"
        return "; ".join([processes, *(f"link {domain}: {state}" for domain, state in self._links.items())])

    def _is_young(self, pid: int) -> bool:
        """Whether a worker has shown life lately: gunicorn keeps that as the time of change of a file, which begins as the time of day."""
        now, last = time.monotonic(), self.WORKERS[pid].tmp.last_update()
        if last > now:
            return now < self._forked.get(pid, now) + BOOT
        return bool(now - last < max(YOUNG, self._notifier.watchdog))

    # signals

    def handle_hup(self) -> None:
        """Read the configuration again, and replace the workers one after the other, each of which completes what it has."""
        self._notifier.reloading()
        self._is_reloading = True  # until `_tell` finds that all is done
        if self._refresh():
            self.worker_class, self.num_workers = self.cfg.worker_class, self.cfg.workers
            self._succession.begin(self._staying())

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers. Another signal meanwhile ends them at once."""
        if not self._is_stopping:
            self._is_stopping = True
            self._notifier.stopping()
        handed_on = bool(self.reexec_pid or self.master_pid) or self.systemd or self.cfg.reuse_port
        listeners: list[Any] = self.LISTENERS
        paths = [] if handed_on else [path for path in (each.getsockname() for each in listeners) if isinstance(path, str)]
        sock.close_sockets(listeners, unlink=False)
        self.LISTENERS: list[Any] = []
        self.kill_workers(signal.SIGTERM if graceful else signal.SIGQUIT)
        until = time.monotonic() + (self.cfg.graceful_timeout if graceful else ABRUPT)
        while self.WORKERS and time.monotonic() < until:
            if graceful and any(sig in ENDING for sig in super().wait_for_signals(STEP)):
                graceful = False
                self.log.info("Quick shutdown requested")
                self.kill_workers(signal.SIGQUIT)
                until = time.monotonic() + ABRUPT
            elif not graceful:
                time.sleep(STEP)
            self._reap()
        self.kill_workers(signal.SIGKILL)
        self._reap()
        for path in paths:
            remove_left(path)

    def _reap(self) -> None:
        try:
            super().reap_workers()
        except HaltServer as e:  # one that had not begun: the server ends in any case
            self.log.debug("%s", e.reason)


def accept_ending() -> None:
    """Called in a worker once it has handlers of its own: they are called here for what was kept."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
