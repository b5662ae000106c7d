"""The counters of a process are those of Prometheus's library, and no thread loses one."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as LibraryCounter
from prometheus_client import Histogram as LibraryHistogram

from tests.many import in_threads
from xmpp_rest.metrics.counters import Counter, Histogram
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.metrics.families import BUCKETS, Figures, sample


@pytest.fixture
def eager() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def of_library(registry: CollectorRegistry) -> Figures:
    samples = (each for metric in registry.collect() for each in metric.samples)
    return {sample(each.name, *each.labels.values()): each.value for each in samples if not each.name.endswith("_created")}


def test_the_samples_are_those_of_the_library() -> None:
    registry = CollectorRegistry()
    counter, histogram = Counter("answers_total", [("rest", 200)]), Histogram("seconds", [("rest",)])
    theirs = (
        LibraryCounter("answers_total", "x", ["api", "code"], registry=registry),
        LibraryHistogram("seconds", "x", ["api"], registry=registry, buckets=BUCKETS),
    )
    theirs[0].labels("rest", "200")
    theirs[1].labels("rest")
    assert counter.figures() | histogram.figures() == of_library(registry)
    chosen = random.Random(7)
    amounts = [*BUCKETS, 0.0, *(2.0 ** chosen.uniform(-12, 9) for _ in range(1000))]
    for amount in amounts:
        code, api = chosen.choice((200, 202, 404)), chosen.choice(("rest", "data"))
        counter.count(api, code)
        theirs[0].labels(api, str(code)).inc()
        histogram.observe(amount, api)
        theirs[1].labels(api).observe(amount)
    assert counter.figures() | histogram.figures() == of_library(registry)
    assert max(amounts) > BUCKETS[-1]


@pytest.mark.usefixtures("eager")
def test_threads_lose_nothing() -> None:
    counts = Counts(enabled=True)

    def work(number: int) -> None:
        for _ in range(2000):
            counts.handed_in("message")
            counts.committed(0.5)
            counts.callback_tried(f"bot{number % 2}", "answered", 3.0)  # its families make new members meanwhile

    in_threads(work, range(4))
    figures = counts.figures()
    assert figures[sample("stanzas_total", "out", "message")] == 8000
    assert figures[sample("storage_write_duration_seconds_count")] == 8000
    assert figures[sample("storage_write_duration_seconds_sum")] == 4000
    for name in ("bot0", "bot1"):
        assert figures[sample("callback_requests_total", name, "answered")] == 4000
        assert figures[sample("callback_request_duration_seconds_bucket", name, "5.0")] == 4000


def test_where_nothing_is_counted() -> None:
    counts = Counts(["gw.example.net"])
    counts.handed_in("message")
    counts.committed(1.0)
    assert counts.figures() == {}
