"""Background jobs: long tasks whose progress is in the storage, so that every process can show and stop them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from drivers import Driver, StorageError, Table
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed

log = logging.getLogger(__name__)

STORE = "jobs"  # of the host
PULSE = 5.0  # seconds between two heartbeats of a waiting job
DEAD = 30.0  # seconds without a heartbeat after which a job counts as dead
RUNNING, DONE, ABORTED, FAILED = "running", "done", "aborted", "failed"


class JobProgress(NamedTuple):
    """The progress of a job: one of the four states, the number of removed items, and the error."""

    state: str
    done: int = 0
    error: str = ""


class Jobs:
    """The jobs of one domain, at most one of each name at a time. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain
        self._threads: list[threading.Thread] = []

    def start(self, name: str, step: Callable[[], int], pause: float) -> None:
        """Call `step` until it removes nothing, with `pause` seconds in between. Raises GatewayError: job-running."""

        def begin(old: Table | None) -> Table:
            jobs = dict(old) if isinstance(old, dict) else {}
            if _progress(jobs.get(name)).state == RUNNING:
                raise GatewayError("job-running")
            return jobs | {name: _row(RUNNING, 0)}

        self._driver.update(None, self._domain, STORE, begin)
        thread = threading.Thread(target=self._run, args=(name, step, pause), name=f"job {name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as e:  # too many threads
            self._fail(name, 0, e)
            raise
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]

    def progress(self, name: str) -> JobProgress | None:
        """The progress of the last job of this name; None if there has been none."""
        jobs = self._driver.load(None, self._domain, STORE)
        row = jobs.get(name) if isinstance(jobs, dict) else None
        return None if row is None else _progress(row)

    def abort(self, name: str) -> bool:
        """Stop the job before its next step; False if none runs."""
        progress = self.progress(name)
        if progress is None or progress.state != RUNNING:
            return False
        self._record(name, ABORTED, progress.done)
        return True

    def wait(self) -> None:
        """Wait until the jobs of this process have ended."""
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, step: Callable[[], int], pause: float) -> None:
        count = 0
        try:
            while done := step():
                count += done
                if not self._record(name, RUNNING, count) or not self._pause(name, count, pause):
                    return
            self._record(name, DONE, count)
        except Exception as e:
            log.exception("the job %s failed after %d items", name, count)
            self._fail(name, count, e)

    def _fail(self, name: str, count: int, error: Exception) -> None:
        """Record the error, as far as clients may see it."""
        text = storage_failed(error).text if isinstance(error, StorageError) else ERRORS["internal"].text
        try:
            self._record(name, FAILED, count, text)
        except Exception as e:
            log.error("that the job %s failed is not noted: %s", name, e)

    def _pause(self, name: str, count: int, seconds: float) -> bool:
        """Wait, with heartbeats; False once the job is aborted."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, PULSE))
            if not self._record(name, RUNNING, count):
                return False
        return True

    def _record(self, name: str, state: str, count: int, error: str = "") -> bool:
        """Record the progress; False, and only the count is changed, if the job was aborted."""
        aborted = False

        def change(old: Table | None) -> Table:
            nonlocal aborted
            jobs = dict(old) if isinstance(old, dict) else {}
            aborted = state != ABORTED and jobs.get(name, {}).get("state") == ABORTED
            return jobs | {name: _row(ABORTED if aborted else state, count, error)}

        self._driver.update(None, self._domain, STORE, change)
        return not aborted


def _row(state: str, count: int, error: str = "") -> dict[str, Any]:
    return {"state": state, "count": count, "error": error, "at": time.time()}


def _progress(row: Any) -> JobProgress:
    if not isinstance(row, dict):
        return JobProgress(DONE)
    progress = JobProgress(str(row.get("state", DONE)), int(row.get("count", 0)), str(row.get("error", "")))
    if progress.state == RUNNING and time.time() - float(row.get("at", 0)) > DEAD:
        return progress._replace(state=FAILED, error="its process has ended")
    return progress
