"""The access lines are kept as they are, and get their form when they are written: in their place, with their own time, and cheaply."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.costs import within
from tests.logs.test_access import ANSWER
from tests.logs.test_handler import Stream
from tests.many import in_threads
from xmpp_rest.logs.access import AccessLog, AccessRecord, KeptAccessRecord
from xmpp_rest.logs.handler import TOGETHER, BufferedHandler
from xmpp_rest.logs.lines import JournalLines, JsonLines, TextLines
from xmpp_rest.logs.setup import PATIENT
from xmpp_rest.metrics.counts import Counts

ANSWERS = 1000
LOOPS = 40.0  # for so many: about 20 µs for each, which is what operations §2.1 and §4.3 allow; measured: 12


class Lines(TextLines):
    """Counts the lines that it has formed."""

    formed = 0

    def format(self, record: logging.LogRecord) -> str:
        self.formed += 1
        if "unspeakable" in getattr(record, "pairs", ""):
            raise ValueError
        return super().format(record)


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def handler(stream: Stream, lines: Lines, caplog: pytest.LogCaptureFixture) -> Iterator[BufferedHandler]:
    """A handler of the log."""
    caplog.set_level(logging.INFO, "xmpp_rest.access")
    handler = BufferedHandler(PATIENT, stream)
    handler.setFormatter(lines)
    yield handler
    handler.close()


@pytest.fixture
def alone(handler: BufferedHandler, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AccessLog]:
    """Leaves that one alone, as it is in a gateway: pytest adds its own when a test begins."""

    def begin() -> AccessLog:
        monkeypatch.setattr(logging.root, "handlers", [handler])
        return AccessLog("all")

    return begin


Alone = Callable[[], AccessLog]


def test_a_line_gets_its_form_when_it_is_written(
    stream: Stream, lines: Lines, handler: BufferedHandler, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_write_later", lambda: None)
    seconds = count(1_700_000_000)
    monkeypatch.setattr("time.time", lambda: float(next(seconds)))
    log = alone()
    log.answered(ANSWER._replace(path="/one"))
    log.answered(ANSWER._replace(path="/two", status=404))
    assert (lines.formed, stream.writes) == (0, [])
    log.answered(ANSWER._replace(path="/three", status=503))
    (written,) = stream.writes
    assert [line.split(" path=")[0] for line in written.splitlines()] == [
        "2023-11-14T22:13:20.000Z info xmpp_rest.access request method=GET",
        "2023-11-14T22:13:21.000Z info xmpp_rest.access request method=GET",
        "2023-11-14T22:13:22.000Z warning xmpp_rest.access request method=GET",
    ]
    assert [line.split("path=")[1].split()[0] for line in written.splitlines()] == ["/one", "/two", "/three"]


def test_it_keeps_its_place_before_lines_of_others(stream: Stream, alone: Alone) -> None:
    alone().answered(ANSWER)
    logging.getLogger("xmpp_rest.server").error("after it")
    first, second = "".join(stream.writes).splitlines()
    assert " xmpp_rest.access request " in first
    assert second.endswith(" xmpp_rest.server after it")


def test_a_hundred_are_written_together(stream: Stream, handler: BufferedHandler, alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_write_later", lambda: None)
    log = alone()
    for _ in range(TOGETHER + 1):
        log.answered(ANSWER)
    assert [written.count("\n") for written in stream.writes] == [TOGETHER]
    handler.flush()
    assert stream.writes[1].count("\n") == 1


def test_one_that_cannot_be_formed_costs_the_others_nothing(
    stream: Stream, handler: BufferedHandler, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[logging.LogRecord] = []
    monkeypatch.setattr(handler, "handleError", failed.append)
    log = alone()
    for path in ("/one", "/unspeakable", "/three"):
        log.answered(ANSWER._replace(path=path))
    handler.flush()
    assert [line.split("path=")[1].split()[0] for line in "".join(stream.writes).splitlines()] == ["/one", "/three"]
    assert len(failed) == 1


def test_other_handlers_are_told_at_once(stream: Stream, handler: BufferedHandler, alone: Alone) -> None:
    class Foreign(logging.Handler):
        messages: list[str] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.messages.append(record.getMessage())

    log = alone()
    logging.root.addHandler(Foreign())
    log.answered(ANSWER)
    assert Foreign.messages == ["request"]
    handler.flush()
    assert "".join(stream.writes).count("\n") == 1


class Busy(Stream):
    """While it is written to, another answer is finished."""

    log: AccessLog | None = None

    def write(self, text: str) -> int:
        if self.log is not None:
            log, self.log = self.log, None
            log.answered(ANSWER._replace(path="/meanwhile"))
        return super().write(text)


def test_one_that_comes_while_others_are_written_is_written_soon(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xmpp_rest.access")
    stream = Busy()
    handler = BufferedHandler(PATIENT, stream)
    handler.setFormatter(TextLines())
    monkeypatch.setattr(logging.root, "handlers", [handler])
    stream.log = log = AccessLog("all")
    log.answered(ANSWER)
    handler.flush()
    assert "path=/rest" in stream.writes[0]
    stream.written.clear()
    if len(stream.writes) == 1:
        assert stream.written.wait(30)
    assert [line.split("path=")[1].split()[0] for line in "".join(stream.writes).splitlines()] == ["/rest", "/meanwhile"]
    handler.close()


def test_threads_lose_no_line(stream: Stream, handler: BufferedHandler, alone: Alone) -> None:
    log = alone()

    def work(number: int) -> None:
        for n in range(500):
            log.answered(ANSWER._replace(path=f"/{number}/{n}", status=503 if n % 70 == 0 else 200))

    in_threads(work, range(4))
    handler.flush()
    paths = [line.split("path=")[1].split()[0] for line in "".join(stream.writes).splitlines()]
    for number in range(4):
        assert [path for path in paths if path.startswith(f"/{number}/")] == [f"/{number}/{n}" for n in range(500)]


@pytest.mark.parametrize("form", [TextLines, JournalLines, JsonLines])
def test_a_kept_line_is_that_which_others_get(form: type[TextLines | JsonLines]) -> None:
    for answer in (ANSWER, ANSWER._replace(hook="ops", account="a b@x", request_id="a=b", path='/"', user_agent="é" * 300)):
        assert form().format(KeptAccessRecord(answer, 1.7e9 + 0.25)) == form().format(AccessRecord(answer, 1.7e9 + 0.25))


def test_what_an_answer_costs_the_log_and_the_metrics(stream: Stream, alone: Alone) -> None:
    log, counts = alone(), Counts(enabled=True)
    answers = [ANSWER._replace(request_id=f"{n:032x}") for n in range(ANSWERS)]

    def tell() -> None:
        for answer in answers:
            log.answered(answer)
            counts.answered(answer)

    within(LOOPS, tell, "1000 answers")
    assert stream.writes
