"""One gateway in one process: how it starts, stops, and goes on after a fork."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from drivers import Driver, StorageError, open_driver
from drivers.lease import LeaseTaken
from xmpp_rest.config.reload import Merged
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.data_folder import ready_folder
from xmpp_rest.gateway.storage_lease import Keeper
from xmpp_rest.gateway.wiring import Parts, build
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.administrator import ensure_administrator

log = logging.getLogger(__name__)

RETRY = 2.0  # seconds between two attempts to start


class Gateway:
    """Everything behind the APIs. Built without a side effect beyond the data folder; threads and sockets begin with `start()`.

    Owned by the Flask application; `start()` may be called by any request, and does its work once in each process.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.incidents = Incidents()
        self.data_dir = Path(settings.base) / settings.server.data_dir
        ready_folder(self.data_dir, Path(settings.base))
        self.driver: Driver = open_driver(settings.storage.url, self.data_dir)
        self._extensions: list[Callable[[Remote], None]] = []  # what registers the remote calls of others
        self.parts = self._built()
        """Created again in a process that was forked off after `start()`: a reference to one of them is good for one process."""
        self.reload: Callable[[], Merged] | None = None
        """Reads the configuration again and puts in force what can be; raises SettingsError. Set where it is known how."""
        self.keeper = Keeper(self.driver, self.data_dir, settings.gateway.domains, self.incidents)
        self.on_loss: Callable[[], None] = lambda: None
        """Ends the server, which can serve nothing any more, as the lease of the storage is lost. Set by the server."""
        self._locks: dict[int, threading.Lock] = {}
        self._failed: Exception | None = None  # why it could not start
        self._failed_at = 0.0  # monotonic time
        self._ended = threading.Event()
        self._pid = 0  # of the process in which the parts are started
        self._forked_from = 0  # of the process in which they were started before

    def _built(self) -> Parts:
        parts = build(self.settings, self.driver, self.data_dir, self.incidents)
        for register in self._extensions:
            register(parts.remote)
        return parts

    def extend(self, register: Callable[[Remote], None]) -> None:
        """Have `register` add remote calls of others, now and whenever the parts are created again. Called before `start()`."""
        self._extensions.append(register)
        register(self.parts.remote)

    def prepare(self) -> None:
        """Take the storage's lease, and make sure that there is an administrator. Raises GatewayError, StorageError, LeaseTaken."""
        self.keeper.claim()
        ensure_administrator(self.parts.accounts, self.settings.auth.admins, self.settings.auth.admin_password, self.data_dir)

    def start(self) -> None:
        """Begin to serve in this process; what was started already stays as it is.

        Raises StorageError, GatewayError; then the next call tries again, but not within RETRY seconds.
        """
        if self._pid == os.getpid():  # nearly always
            return
        with self._lock:
            if self._pid == os.getpid():
                return
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
        if self._forked_from:
            self.keeper = Keeper(self.driver, self.data_dir, self.settings.gateway.domains, self.incidents)
            self.parts = self._built()
        self.prepare()
        self.parts.remote.start()
        self.keeper.start(self._lose)
        self._pid = self._forked_from = os.getpid()

    @property
    def _lock(self) -> threading.Lock:
        """Held while this process starts or stops: one for each process, as a thread may have that of the parent at the fork."""
        return self._locks.get(os.getpid()) or self._locks.setdefault(os.getpid(), threading.Lock())

    def start_in_time(self, is_lasting: Callable[[Exception], bool]) -> None:
        """As `start`; but what fails is tried again by a thread until it works, or the process ends. Requests get 503 meanwhile.

        Raises what is lasting.
        """
        try:
            self.start()
        except Exception as e:  # for a server that gives up where a process cannot begin
            if is_lasting(e):
                raise
            log.error("the gateway cannot begin, and tries again until it can: %s", e, exc_info=not isinstance(e, StorageError))
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
        """The server is about to stop: streams and requests that wait for an iq are ended now."""
        self.parts.streams.stop()
        self.parts.router.stop_waiting()

    def _lose(self) -> None:
        """Another gateway has the storage: change nothing in it any more. Requests are refused (application.py)."""
        try:
            self.end_waiting()
            self.parts.leader.end()
        finally:
            self.on_loss()

    def stop(self) -> None:
        """End the link first, so that nothing comes in any more; then the rest."""
        self._ended.set()
        if self._pid == os.getpid():
            self._pid = 0
            self.parts.streams.stop()
            if not self.keeper.lost:
                self.parts.leader.leave_rooms()
            self.parts.leader.end()
            self.keeper.stop(last=not self.parts.remote.has_others)
            self.parts.remote.stop()
        self.driver.close()
