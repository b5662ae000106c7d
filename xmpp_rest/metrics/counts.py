"""The counters of one process: a registry of Prometheus's library, whose children are made once and kept.

A counter that is kept costs 0.4 µs, one that is looked up by its labels 1.5 µs, so the children are kept (decision 0048). The library is
imported where something is counted, and so by no command that only looks something up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import product
from threading import Lock
from typing import Any, Protocol

from xmpp_rest.answered import Answered
from xmpp_rest.metrics.families import (
    APIS,
    BUCKETS,
    CALLBACK_RESULTS,
    FAMILIES,
    HOOK_RESULTS,
    KINDS,
    LINK_FAILURES,
    MAX_HOOKS,
    METHODS,
    OPENED,
    OPERATIONS,
    OTHER,
    REFUSALS,
    STREAM_ENDS,
    Figures,
    sample,
)
from xmpp_rest.protocol.conditions import DEFAULT_TYPE

AT_ONCE = 100  # answers
CONDITIONS = frozenset(DEFAULT_TYPE) - {"payment-required"}  # RFC 6120 has it no longer


class Child(Protocol):
    """One counter or histogram, for one list of label values."""

    def inc(self) -> None: ...
    def observe(self, amount: float) -> None: ...


Make = Callable[..., Child]
"""Makes the child for these label values."""


class Children(dict[tuple[str, ...], Child]):
    """The children of one family, each made once, as something is first counted there."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, values: tuple[str, ...]) -> Child:
        child = self[values] = self._make(*values)
        return child


class AnswerChildren(dict[tuple[str, str, int], tuple[Child, Child]]):
    """The counter and the histogram of an answer by API, method and status: one look-up for both."""

    def __init__(self, counters: Children, histograms: Children) -> None:
        super().__init__()
        self._counters = counters
        self._histograms = histograms

    def __missing__(self, key: tuple[str, str, int]) -> tuple[Child, Child]:
        api, method, status = key
        pair = self[key] = self._counters[api, method, str(status)], self._histograms[api,]
        return pair


class Nothing:
    """A child where nothing is counted."""

    def inc(self) -> None:
        """Count nothing."""

    def observe(self, amount: float) -> None:
        """Keep nothing."""


class Counts:
    """What one process counts. Safe to be used by several threads. `enabled`: False: nothing is counted, and no library is loaded."""

    def __init__(self, domains: Iterable[str] = (), callbacks: Iterable[str] = (), *, enabled: bool = False) -> None:
        """`domains`: those with a stream of their own; `callbacks`: the names of their sections."""
        self.enabled = enabled
        self._registry = _registry() if enabled else None
        self._known: list[tuple[str, tuple[tuple[str, ...], ...]]] = []  # label values that stand at 0 before they are counted
        names, streams = tuple(callbacks), tuple(domains)
        answers = product(APIS, ("GET", "POST"), ("200", "500"))  # what is good, and what alerts ask for
        durations = self._family("http_request_duration_seconds", product(APIS))
        self._answers = AnswerChildren(self._family("http_requests_total", answers), durations)
        self._seen: deque[Answered] = deque()  # answers that are not counted yet
        self._counting = Lock()  # held by the thread that does
        self._stanzas = self._family("stanzas_total", product(("out", "in"), KINDS))
        self._refused = self._family("stanzas_refused_total", product((*sorted(CONDITIONS), OTHER)))
        self._iq_timeouts = self._family("iq_timeouts_total", ((),))[()]
        self._opened = self._family(OPENED, product(streams))
        self._failures = self._family("link_failures_total", product(streams, LINK_FAILURES))
        self._outbox_refused = self._family("outbox_refused_total", ((),))[()]
        self._ended = self._family("streams_ended_total", product(STREAM_ENDS))
        self._callbacks = self._family("callback_requests_total", product(names, CALLBACK_RESULTS))
        self._callback_durations = self._family("callback_request_duration_seconds", product(names))
        self._hooks = self._family("hook_requests_total")
        self._hook_names: set[str] = set()
        self._auth_failures = self._family("auth_failures_total", product(APIS, REFUSALS))
        self._storage_errors = self._family("storage_errors_total", product(OPERATIONS))
        self._commits = self._family("storage_write_duration_seconds", ((),))[()]

    def _family(self, name: str, known: Iterable[tuple[str, ...]] = ()) -> Children:
        if self._registry is None:
            return Children(_nothing)
        self._known.append((name, tuple(known)))
        return Children(_maker(name, self._registry))

    def figures(self) -> Figures:
        """All that was counted."""
        if self._registry is None:
            return {}
        self._count_answers()
        return _zeros(tuple(self._known)) | _samples(self._registry)

    # what is counted

    def answered(self, answered: Answered) -> None:
        """An answer is complete."""
        self._seen.append(answered)
        if len(self._seen) >= AT_ONCE:
            self._count_answers()

    def _count_answers(self) -> None:
        """Count the answers, many at once: one by one each would find the caches cold, and cost two or three times as much."""
        with self._counting:
            for _ in range(len(self._seen)):
                api, method, _, status, seconds = self._seen.popleft()[:5]
                counter, histogram = self._answers[api, method if method in METHODS else OTHER, status]
                counter.inc()
                histogram.observe(seconds)

    def handed_in(self, kind: str) -> None:
        """A caller handed in a stanza of this kind, to be sent."""
        self._stanzas["out", kind].inc()

    def received(self, kind: str) -> None:
        """A stanza of this kind came over the link."""
        self._stanzas["in", kind].inc()

    def came_back(self, condition: str) -> None:
        """A stanza came back as an error with this condition."""
        self._refused[condition if condition in CONDITIONS else OTHER,].inc()

    def iq_timed_out(self) -> None:
        """A request waited for the answer to an iq in vain."""
        self._iq_timeouts.inc()

    def link_opened(self, domain: str) -> None:
        """The stream of this domain is up."""
        self._opened[domain,].inc()

    def link_failed(self, domain: str, reason: str) -> None:
        """An attempt to open the stream of this domain has failed, or the stream has ended."""
        self._failures[domain, reason].inc()

    def outbox_refused(self) -> None:
        """The outbox was full, so that a stanza was refused."""
        self._outbox_refused.inc()

    def stream_ended(self, reason: str) -> None:
        """An event stream has ended, for one of STREAM_ENDS."""
        self._ended[reason,].inc()

    def callback_tried(self, callback: str, result: str, seconds: float) -> None:
        """An attempt to deliver a stanza to the URL of a callback is over; `result` is one of CALLBACK_RESULTS."""
        self._callbacks[callback, result].inc()
        self._callback_durations[callback,].observe(seconds)

    def hook_requested(self, hook: str, result: str) -> None:
        """A request to a hook was answered; `result` is one of HOOK_RESULTS."""
        with self._counting:
            if hook not in self._hook_names:
                if len(self._hook_names) < MAX_HOOKS:
                    self._hook_names.add(hook)
                else:
                    hook = OTHER
        self._hooks[hook, result if result in HOOK_RESULTS else OTHER].inc()

    def auth_failed(self, api: str, reason: str) -> None:
        """Credentials were refused, for one of REFUSALS."""
        self._auth_failures[api, reason].inc()

    def storage_failed(self, operation: str) -> None:
        """The storage failed an operation: read or write."""
        self._storage_errors[operation,].inc()

    def committed(self, seconds: float) -> None:
        """The storage has committed, which took so long."""
        self._commits.observe(seconds)


def _nothing(*_: str) -> Child:
    return Nothing()


def _registry() -> Any:
    from prometheus_client import CollectorRegistry

    return CollectorRegistry(auto_describe=False)


def _samples(registry: Any) -> Figures:
    samples = (each for metric in registry.collect() for each in metric.samples)
    return {sample(each.name, *each.labels.values()): each.value for each in samples if not each.name.endswith("_created")}


@lru_cache(maxsize=4)
def _zeros(known: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]) -> Figures:
    """The samples of these families and label values while nothing is counted: made once, as each costs 20 µs, and most stay so."""
    registry = _registry()
    for name, values in known:
        make = _maker(name, registry)
        for each in values:
            make(*each)
    return _samples(registry)


def _maker(name: str, registry: Any) -> Make:
    """Makes the children of the family of this name."""
    from prometheus_client import Counter, Histogram

    family = FAMILIES.get(name)
    labels = family.labels if family else ("domain",)
    metric: Any
    if family and family.type == "histogram":
        metric = Histogram(name, family.help, labels, registry=registry, buckets=BUCKETS)
    else:
        metric = Counter(name, family.help if family else "Not told.", labels, registry=registry)
    return metric.labels if labels else lambda: metric


