"""The leader collects what all processes have counted, and nothing of it gets lost with a process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.processes.memory import cut, processes
from xmpp_rest.incidents import Incidents
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.metrics.families import Figures
from xmpp_rest.metrics.own_process import CPU
from xmpp_rest.processes.remote import Remote
from xmpp_rest.processes.starts import start_of
from xmpp_rest.service.monitoring.collection import ENDED, MOST_ENDED, Collection
from xmpp_rest.service.monitoring.kept import FOLDER, KeptReports
from xmpp_rest.service.monitoring.report import ProcessReport

TIMEOUTS = "iq_timeouts_total"


class Process:
    """One process: what it counts, and its part of the collection."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        self.remote = remote
        self.counts = Counts(enabled=True)
        self.collection = Collection(self.counts, self.gauges, KeptReports(folder), remote, Incidents())
        remote.start()

    def gauges(self, leads: bool) -> Figures:
        return {"threads": 8.0} | ({"outbox_stanzas": 5.0} if leads else {})

    def time_out(self, times: int) -> None:
        for _ in range(times):
            self.counts.iq_timed_out()


@pytest.fixture
def three(tmp_path: Path) -> list[Process]:
    return [Process(remote, tmp_path) for remote in processes(3)]


def test_whichever_process_is_asked(three: list[Process]) -> None:
    for n, process in enumerate(three):
        process.time_out(10**n)
    for process in three:
        found = process.collection.figures()
        assert (found[TIMEOUTS], found["threads"], found["outbox_stanzas"], found["processes"]) == (111, 24, 5, 3)


def test_what_a_process_has_counted_stays(three: list[Process], tmp_path: Path) -> None:
    leader, second, third = three
    for n, process in enumerate(three):
        process.time_out(10**n)
    assert third.collection.figures()[TIMEOUTS] == 111
    second.time_out(10)  # after the last report: handed over at the end
    second.collection.stop()
    second.remote.stop()
    found = third.collection.figures()
    assert (found[TIMEOUTS], found["threads"], found["processes"]) == (121, 16, 2)
    leader.remote.stop()  # killed: what it has told is in the data folder
    third.time_out(1)
    found = third.collection.figures()
    assert (found[TIMEOUTS], found["threads"], found["outbox_stanzas"], found["processes"]) == (122, 8, 5, 1)


def test_without_an_answer_of_the_leader(three: list[Process]) -> None:
    leader, second, third = three
    leader.time_out(1)
    assert third.collection.figures()[TIMEOUTS] == 1
    for process in (second, third):
        cut(process.remote)
        process.time_out(10)
    expected = 21
    for process in (second, third, second):  # who asks keeps its own report, so that the next one has no less
        process.time_out(10)
        expected += 10
        assert process.collection.figures()[TIMEOUTS] == expected


def test_an_older_report_does_not_replace_a_newer_one(three: list[Process]) -> None:
    collection = three[0].collection
    for number, count in ((2, 7.0), (1, 6.0)):
        collection.report(ProcessReport("1-x", "", number, {TIMEOUTS: count}, {}), 0)
    assert collection.figures()[TIMEOUTS] == 7


def test_reports_of_many_ended_processes_become_one(tmp_path: Path) -> None:
    kept, start = KeptReports(tmp_path), start_of(-1)
    for n in range(MOST_ENDED + 1):
        kept.put(start, ProcessReport(f"{2**22 + n + 1}-x", "", n, {TIMEOUTS: 1.0}, {"threads": 8.0}))  # beyond what the kernel numbers
    kept.put("another start", ProcessReport("5-y", "", 1, {TIMEOUTS: 1000.0}, {}))
    (remote,) = processes(1)
    process = Process.__new__(Process)
    process.counts, process.remote = Counts(enabled=True), remote
    process.collection = Collection(process.counts, process.gauges, kept, remote, Incidents())
    process.collection._built = -1  # as in a worker, which was forked off from the process that has built it
    remote.start()
    for _ in range(2):
        found = process.collection.figures()
        assert (found[TIMEOUTS], found["threads"], found["processes"]) == (MOST_ENDED + 1, 8, 1)
    names = {path.stem for path in (tmp_path / FOLDER).iterdir()}
    assert names == {ENDED, process.collection._process}


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    kept = KeptReports(tmp_path)
    kept.put("s", ProcessReport("1-x", "m", 1, {TIMEOUTS: 1.0}, {}))
    for name, text in (("half.json", '{"start": "s"'), ("other.json", json.dumps({"start": "s", "report": [1]})), ("list.json", "[]")):
        (tmp_path / FOLDER / name).write_text(text)
    assert [report.process for report in kept.read("s")] == ["1-x"]
    assert [report.process for report in kept.take_over("s")] == ["1-x"]
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["1-x.json"]


def test_a_process_that_counts_from_zero_again_has_its_processor_time_once_and_few_files(tmp_path: Path) -> None:
    for n in range(MOST_ENDED + 5):
        process = Process(processes(1)[0], tmp_path)
        process.time_out(1)
        found = process.collection.figures()
        assert (found[TIMEOUTS], found["processes"], found["threads"]) == (n + 1, 1, 8)
        assert found[CPU] <= time.process_time() + 0.1
        process.collection.stop(goes_on=True)
        process.remote.stop()
    assert len(list((tmp_path / FOLDER).iterdir())) < MOST_ENDED
