"""Collects the figures of all processes of a node: their speaker asks the others, adds, and keeps what it was told.

No counter falls while a process lives: what a scrape has shown is in the data folder before it is answered, so the next speaker knows it.
Decision 0048.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.metrics.families import Figures, added, merged
from xmpp_rest.metrics.own_process import no_figures, own_figures
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.processes.starts import start_of
from xmpp_rest.service.monitoring.kept import KeptReports, lives
from xmpp_rest.service.monitoring.report import ProcessReport, Totals
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.probe import Probe

log = logging.getLogger("xmpp_rest.server")

EVERY = 10.0  # seconds between two reports of a process, and two writes of the speaker
LIMIT = 1.0  # seconds that collecting may take
PATIENCE = 0.7  # seconds of them that the speaker waits for the others
MOST_ENDED = 64  # ended processes whose reports are kept each by itself
ASKED = "report metrics"  # the broadcast
ENDED = "ended"  # what stands for those that ended longest ago


class Asking:
    """One question of the speaker to all others."""

    def __init__(self, awaited: Iterable[str]) -> None:
        self._awaited = set(awaited)
        self._answered = OneShot[bool]()

    def has_answered(self, member: str) -> None:
        """This process has answered, or has gone."""
        self._awaited.discard(member)
        if not self._awaited:
            self._answered.give(True)

    def wait(self) -> None:
        """Wait for all, or until PATIENCE is over."""
        self._answered.wait(PATIENCE)


class Collection:
    """The part of one process. Safe to be used by several threads; owned by the Gateway, which calls `stop()` once, before the end."""

    def __init__(
        self, counts: Counts, gauges: Callable[[bool], Figures], kept: KeptReports, remote: Remote, incidents: Incidents
    ) -> None:
        """`gauges`: of this process; with True also those that only the leader knows."""
        self._counts = counts
        self._own_figures = own_figures() if counts.enabled else no_figures
        self._gauges = gauges
        self._kept = kept
        self._incidents = incidents
        self._built = os.getpid()
        self._process = ""
        self._start = ""
        self._number = 0
        self._snapshot = threading.Lock()  # of this process: a later report has no less
        self._reports: dict[str, ProcessReport] = {}  # the latest of each process, in the speaker
        self._unkept: set[str] = set()  # those that are not in the data folder
        self._askings: dict[int, Asking] = {}
        self._asked = 0
        self._lock = threading.Lock()  # guards the four above
        self._writing = threading.Lock()
        self._has_role = False
        self._stopped = self._goes_on = False
        self._collect_in_time: Probe[Totals] = Probe(lambda: self.collect(self._own()), patience=LIMIT, kept=0.0)
        self._hand_over_in_time: Probe[str] = Probe(lambda: self.report(self._own(), 0), patience=LIMIT, kept=0.0)
        self._remote = remote
        remote.offer(self)
        remote.on_broadcast(ASKED, self._answer)
        remote.on_role(self._take_role)
        remote.on_node_left(self._left)

    # for who asks this process

    def figures(self) -> Figures:
        """Those of all processes, as far as they answer in time. Raises nothing."""
        try:
            return self._collect_in_time.ask().figures
        except (TimeoutError, GatewayError, RuntimeError) as e:  # RuntimeError: the system gives no thread
            log.debug("the leading process does not collect metrics: %s", e)
            return self._without_leader()

    def _without_leader(self) -> Figures:
        """What is known where no speaker answers: this process now, the others as they were when they were kept."""
        own = self._own()
        self._keep([own])
        try:
            others = {report.process: report for report in self._kept.read(self._start)}
        except OSError as e:
            self._incidents.report(log, "metrics-unread", "the metrics of other processes cannot be read: %s", e)
            others = {}
        reports = {**others, own.process: own}
        living = [report for report in reports.values() if report is own or (report.member and lives(report.process))]
        return _total(reports.values(), living, len(living))

    # the report of this process

    def _own(self) -> ProcessReport:
        gauges = self._gauges(self._remote.group.is_leader or not self._has_role)  # may wait for the storage
        with self._snapshot:
            self._number += 1
            grows, holds = no_figures() if self._goes_on else self._own_figures()
            member = "" if self._goes_on else self._remote.group.id
            return ProcessReport(self._identity(), member, self._number, self._counts.figures() | grows, holds | gauges)

    def _identity(self) -> str:
        """The id of this process; made in it, not in one that it was forked off from."""
        if not self._process.startswith(f"{os.getpid()}-"):
            self._process, self._start = f"{os.getpid()}-{secrets.token_hex(8)}", start_of(self._built)
        return self._process

    def _report(self) -> None:
        """Tell the speaker, or keep it, if this is the speaker."""
        self._answer(0)

    def _answer(self, number: int) -> None:
        """Tell the speaker, which may have asked. The next report says all that one which is lost would have said."""
        try:
            self._start = self.report(self._own(), number)
        except GatewayError as e:
            log.debug("the leading process was not told what was counted: %s", e)

    def _take_role(self, _leads: bool) -> None:
        if not self._counts.enabled:
            return
        self._identity()
        is_first, self._has_role = not self._has_role, True
        if self._remote.group.is_speaker:
            self._take_over()
        self._remote.pool.submit(self._tick if is_first else self._report)

    def _take_over(self) -> None:
        """Know what the speaker before has kept."""
        try:
            kept = self._kept.take_over(self._start)
        except OSError as e:
            self._incidents.report(log, "metrics-unread", "what other processes have counted is not known: %s", e)
            kept = []
        with self._lock:
            self._reports |= {report.process: report for report in kept if report.process != self._process}

    def _tick(self) -> None:
        """Report, and do so again after a while."""
        if self._stopped:
            return
        try:
            self._report()
        finally:
            self._remote.timers.after(EVERY, lambda: self._remote.pool.submit(self._tick))

    def stop(self, *, goes_on: bool = False) -> None:
        """Hand over what was counted. Raises nothing. `goes_on`: this process does, and counts from zero again."""
        self._goes_on, self._stopped = goes_on, True
        if not self._counts.enabled:
            return
        try:
            self._start = self._hand_over_in_time.ask()
        except (TimeoutError, GatewayError, RuntimeError) as e:
            log.debug("the leading process was not told what was counted: %s", e)
            self._keep([self._own()])

    # in the speaker

    @on_leader(repeatable=True, of_node=True)
    def report(self, report: ProcessReport, number: int) -> str:
        """Take the report of a process, which may be the answer to a question; which start of the gateway this is."""
        self._take(report)
        if (asking := self._askings.get(number)) is not None:
            asking.has_answered(report.member)
        if report.process == self._process:
            self._keep_all()
        return self._start

    @on_leader(repeatable=True, of_node=True)
    def collect(self, asker: ProcessReport) -> Totals:
        """The figures of all processes; `asker`: those of the one that was asked for them."""
        self._take(asker)
        others = set(self._remote.group.node_followers)
        self._ask(others - {asker.member})
        own = asker if asker.process == self._process else self._own()
        self._take(own)
        if self._remote.group.is_speaker:
            self._keep_all()
        with self._lock:
            reports = list(self._reports.values())
        living = [report for report in reports if report.process == own.process or report.member in others]
        return Totals(_total(reports, living, 1 + len(others)))

    def _ask(self, members: set[str]) -> None:
        if not members:
            return
        asking = Asking(members)
        with self._lock:
            self._asked += 1
            number = self._asked
            self._askings[number] = asking
        try:
            self._remote.tell_node(ASKED, number=number)
            asking.wait()
        finally:
            del self._askings[number]

    def _left(self, member: str) -> None:
        for asking in list(self._askings.values()):
            asking.has_answered(member)

    def _take(self, report: ProcessReport) -> None:
        with self._lock:
            before = self._reports.get(report.process)
            if before is None or before.number < report.number:
                self._reports[report.process] = report
                self._unkept.add(report.process)

    def _keep_all(self) -> None:
        """Have all reports in the data folder."""
        with self._writing:
            with self._lock:
                removed = self._join_ended()
                reports = [self._reports[process] for process in self._unkept]
                self._unkept.clear()
            self._keep(reports)
            for process in removed:
                self._kept.remove(process)

    def _join_ended(self) -> list[str]:
        """Where many processes have ended, those that did so first become one; their ids."""
        reports = self._reports.values()
        ended = [each.process for each in reports if each.process != self._process and not (each.member and lives(each.process))]
        if len(ended) <= MOST_ENDED:
            return []
        joined = [self._reports.pop(process) for process in ended]
        number = max(report.number for report in joined) + 1
        self._reports[ENDED] = ProcessReport(ENDED, "", number, added([report.counts for report in joined]), {})
        self._unkept = (self._unkept - set(ended)) | {ENDED}
        return [process for process in ended if process != ENDED]

    def _keep(self, reports: Iterable[ProcessReport]) -> None:
        try:
            for report in reports:
                self._kept.put(self._start, report)
        except OSError as e:
            self._incidents.report(log, "metrics-unkept", "what was counted is not kept for the next leading process: %s", e)


def _total(reports: Iterable[ProcessReport], living: list[ProcessReport], processes: int) -> Figures:
    """The figures of these: counts of all, gauges of the living."""
    return added([report.counts for report in reports]) | merged([report.gauges for report in living]) | {"processes": float(processes)}
