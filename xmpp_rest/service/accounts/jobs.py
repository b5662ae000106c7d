"""Background jobs: long tasks whose progress is in the storage, so that every process can show and stop them, also after a restart."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from drivers import Driver, StorageError, Table
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed
from xmpp_rest.incidents import Incidents
from xmpp_rest.service.accounts.job_progress import ABORTED, DONE, FAILED, INTERRUPTED, RUNNING, JobProgress, from_row, to_row
from xmpp_rest.threads.future import OneShot

log = logging.getLogger("xmpp_rest.commands")

STORE = "jobs"  # of the host
PULSE = 5.0  # seconds between two heartbeats of a waiting job
NOTED = 1.0  # seconds between two records of a job that makes progress
REST = 0.05  # seconds that a job rests at most after a step, so that requests are served
ENDING = 2.0  # seconds that the jobs get to end as the process stops
ALIKE = 5  # jobs of one kind that may run at once


class JobEnded(Exception):
    """The job goes on no further: somebody has aborted it, or its process stops."""


class Job:
    """A running job, as its work sees it, and those that wait for its end."""

    def __init__(self, record: Callable[[JobProgress], bool], stopping: threading.Event, progress: JobProgress) -> None:
        """`record`: keeps the progress; False: the job was aborted."""
        self._record = record
        self._stopping = stopping
        self.progress = progress
        self.ended: OneShot[JobProgress] = OneShot()
        self._noted = self._began = time.monotonic()

    def total(self, count: int) -> None:
        """There are so many items to do."""
        self.progress = self.progress._replace(total=count)

    def did(self, count: int = 1, failed: int = 0, *, note: bool = False) -> None:
        """So many items were done, and others failed. Recorded now and then, or if asked to `note` it. Raises JobEnded, StorageError."""
        self.progress = self.progress._replace(done=self.progress.done + count, failed=self.progress.failed + failed)
        now = time.monotonic()
        if note or now - self._noted >= NOTED:
            self.note()
        elif self._stopping.wait(min(now - self._began, REST)):  # a job takes about half of a processor
            raise JobEnded
        self._began = time.monotonic()

    def note(self) -> None:
        """Record the progress. Raises JobEnded, StorageError."""
        self._noted = time.monotonic()
        if not self._record(self.progress) or self._stopping.is_set():
            raise JobEnded

    def end(self, state: str, error: str) -> None:
        """The job has come to this end. Raises StorageError; those that wait for the end are told all the same."""
        self.progress = self.progress._replace(state=state, error=error)
        try:
            self._record(self.progress)
        finally:
            self.ended.give(self.progress)

    def pause(self, seconds: float) -> None:
        """Wait, with heartbeats. Raises JobEnded, StorageError."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._stopping.wait(min(left, PULSE))
            self.note()
        self._began = time.monotonic()


Work = Callable[[Job], None]


class Jobs:
    """The jobs of one domain. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, incidents: Incidents) -> None:
        self._driver = driver
        self._domain = domain
        self._incidents = incidents
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self, name: str, step: Callable[[], int], pause: float) -> None:
        """Call `step` until it removes nothing, with `pause` seconds in between. Raises GatewayError: job-running."""
        self.run(name, partial(_in_steps, step, pause))

    def run(self, name: str, work: Work, *, about: str = "", alike: int = 1) -> Job:
        """Have `work` done in the background. Raises GatewayError, job-running, if `alike` jobs of this name run.

        The second one of them has the name `NAME-2`. `about`: what tells it from others of the kind.
        """
        names = [name, *(f"{name}-{n}" for n in range(2, alike + 1))]
        begun = JobProgress(RUNNING, began=time.time(), about=about)
        chosen = ""

        def begin(old: Table | None, _: Callable[[], int]) -> Table:
            nonlocal chosen
            jobs = dict(old) if isinstance(old, dict) else {}
            chosen = next((n for n in names if n not in jobs or from_row(jobs[n]).state != RUNNING), "")
            if not chosen:
                raise GatewayError("job-running")
            return jobs | {chosen: to_row(begun)}

        self._driver.update_members(None, self._domain, STORE, names, begin)
        job = Job(partial(self._record, chosen), self._stopping, begun)
        thread = threading.Thread(target=self._run, args=(chosen, work, job), name=f"job {chosen}", daemon=True)
        try:
            thread.start()
        except RuntimeError as e:  # too many threads
            self._end(chosen, job, FAILED, e)
            raise
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        return job

    def all(self) -> Iterator[tuple[str, JobProgress]]:
        """The latest job of each name."""
        jobs = self._driver.load(None, self._domain, STORE)
        return ((name, from_row(row)) for name, row in (jobs.items() if isinstance(jobs, dict) else ()))

    def progress(self, name: str) -> JobProgress | None:
        """The progress of the last job of this name; None if there has been none."""
        jobs = self._driver.load_members(None, self._domain, STORE, (name,))
        row = jobs.get(name) if isinstance(jobs, dict) else None
        return None if row is None else from_row(row)

    def abort(self, name: str) -> bool:
        """Stop the job before its next step; False if none runs."""
        progress = self.progress(name)
        if progress is None or progress.state != RUNNING:
            return False
        return self._record(name, progress._replace(state=ABORTED))

    def wait(self) -> None:
        """Wait until the jobs of this process have ended."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """End the jobs of this process after the step that each is at; what was not done is told as interrupted."""
        self._stopping.set()
        end = time.monotonic() + ENDING
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self, name: str, work: Work, job: Job) -> None:
        try:
            work(job)
            self._end(name, job, DONE)
        except JobEnded:
            self._end(name, job, INTERRUPTED)
        except Exception as e:
            trace = not isinstance(e, StorageError | GatewayError)
            self._incidents.report(log, "job-failed", "the job %s failed after %d items: %s", name, job.progress.done, e, trace=trace)
            self._end(name, job, FAILED, e)

    def _end(self, name: str, job: Job, state: str, error: Exception | None = None) -> None:
        """Record the end, with the error as far as clients may see it."""
        text = "" if error is None else storage_failed(error).text if isinstance(error, StorageError) else ERRORS["internal"].text
        text = error.text if isinstance(error, GatewayError) else "its process was stopped" if state == INTERRUPTED else text
        try:
            job.end(state, text)
        except Exception as e:
            log.error("that the job %s is %s is not noted: %s", name, state, e)

    def _record(self, name: str, progress: JobProgress) -> bool:
        """Record the progress. False if the job was aborted, and only the counts are changed; or it has ended, or another has its name."""
        aborted = False

        def change(old: Table | None, _: Callable[[], int]) -> Table:
            nonlocal aborted
            jobs = dict(old) if isinstance(old, dict) else {}
            known = from_row(jobs[name]) if name in jobs else progress
            if known.began != progress.began or (progress.state == ABORTED and known.state != RUNNING):
                aborted = True
                return jobs
            aborted = known.state == ABORTED
            return jobs | {name: to_row(progress._replace(state=ABORTED, error="") if aborted else progress)}

        self._driver.update_members(None, self._domain, STORE, (name,), change)
        return not aborted


def _in_steps(step: Callable[[], int], pause: float, job: Job) -> None:
    while done := step():
        job.did(done, note=True)
        job.pause(pause)
