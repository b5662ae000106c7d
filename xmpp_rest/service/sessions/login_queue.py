"""The threads in which logins and checks are done, and what waits for them (accounts-anywhere §5.1)."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.errors import GatewayError, stopping
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.daemon_pool import DaemonPool

log = logging.getLogger("xmpp_rest.sessions")
THREADS = 1000  # more than [sessions] logins can be: the queue itself bounds how many run


class LoginJob(NamedTuple):
    """A login or check. No two of one account run at once.

    `begins`: whether it need not wait for others that run, in which case it runs now; `run` blocks, and may raise anything; `give_up`: it
    waited too long, or `run` has raised.
    """

    account: JID
    begins: Callable[[], bool]
    run: Callable[[], None]
    give_up: Callable[[GatewayError], None]


class LoginQueue:
    """Runs at most `logins` jobs at once, half of them for one domain; as many again may wait, half of them for one domain.

    So a server that does not answer keeps the others from nothing. Safe to be used by several threads.
    """

    def __init__(self, logins: int, patience: float) -> None:
        """`patience`: seconds that a job waits for its turn at most."""
        self.configure(logins, patience)
        self._waiting: list[tuple[float, LoginJob]] = []  # with the monotonic time at which it came; the first one first
        self._running: Counter[str] = Counter()  # by domain
        self._accounts: set[JID] = set()  # of jobs that run
        self._begun: set[JID] = set()  # of them, those whose thread has begun
        self._stopped = False
        self._lock = threading.Lock()
        self._pool = DaemonPool(THREADS, "login")

    def configure(self, logins: int, patience: float) -> None:
        """How many there may be from now on."""
        self._most, self._share, self._patience = logins, max(1, logins // 2), patience

    @property
    def under_way(self) -> int:
        """How many run."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def put(self, job: LoginJob) -> None:
        """Have it done. Raises GatewayError, sessions-full, if there are as many as there may be; link-down after `stop`."""
        with self._lock:
            own = sum(1 for _, other in self._waiting if other.account.domain == job.account.domain)
            runs = self._may_run(job)
            if self._stopped or (not runs and (len(self._waiting) >= self._most or own >= self._share)):
                raise self._refusal()
            if not runs:
                self._waiting.append((time.monotonic(), job))
                return
            self._enter(job)
        self._submit(job)

    def _refusal(self) -> GatewayError:
        return stopping() if self._stopped else GatewayError("sessions-full")

    def _may_run(self, job: LoginJob) -> bool:
        domain = job.account.domain
        if self._running.total() >= self._most or self._running[domain] >= self._share or job.account in self._accounts:
            return False
        return job.begins()

    def _enter(self, job: LoginJob) -> None:
        self._running[job.account.domain] += 1
        self._accounts.add(job.account)

    def _submit(self, job: LoginJob) -> None:
        try:
            self._pool.submit(lambda: self._run(job))
        except RuntimeError:  # stopped, or the system gives no thread
            self._leave(job)
            job.give_up(self._refusal())

    def _run(self, job: LoginJob) -> None:
        with self._lock:
            begins = not self._stopped
            if begins:
                self._begun.add(job.account)
        if not begins:
            self._leave(job)
            job.give_up(self._refusal())
            return
        try:
            job.run()
        except Exception:
            log.exception("a login could not be carried out")
            job.give_up(GatewayError("internal"))
        finally:
            self._leave(job)

    def _leave(self, job: LoginJob) -> None:
        """It has ended: others may begin."""
        with self._lock:
            self._running[job.account.domain] -= 1
            if not self._running[job.account.domain]:
                del self._running[job.account.domain]
            self._accounts.discard(job.account)
            self._begun.discard(job.account)
        self.look()

    def look(self) -> None:
        """Begin what may begin by now, and give up what has waited for too long. Called from time to time, besides."""
        begun, late, left = [], [], []
        with self._lock:
            oldest = time.monotonic() - self._patience
            for came, job in self._waiting:
                if came <= oldest or self._stopped:
                    late.append(job)
                elif self._may_run(job):
                    self._enter(job)
                    begun.append(job)
                else:
                    left.append((came, job))
            self._waiting = left
        for job in begun:
            self._submit(job)
        for job in late:
            job.give_up(self._refusal())

    @property
    def stopped(self) -> bool:
        """Whether what runs is to end as soon as it can."""
        return self._stopped

    def stop(self) -> None:
        """Take no more, and give up what waits; what runs ends by itself."""
        with self._lock:
            self._stopped = True
        self.look()
        self._pool.stop()

    def is_under_way(self, account: JID) -> bool:
        """Whether a login or check of this account has begun, and has not ended. After `stop` no other one begins."""
        return account in self._begun
