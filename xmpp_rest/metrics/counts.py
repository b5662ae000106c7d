"""What one process counts, by subject."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import product
from threading import Lock

from xmpp_rest.answered import Answered
from xmpp_rest.metrics.counters import Counter, Histogram, Labels, NotCounted
from xmpp_rest.metrics.families import (
    APIS,
    CALLBACK_RESULTS,
    HOOK_RESULTS,
    KINDS,
    LINK_FAILURES,
    LOGIN_RESULTS,
    MAX_HOOKS,
    METHODS,
    OPENED,
    OPERATIONS,
    OTHER,
    REFUSALS,
    RESUMES,
    SESSION_REFUSALS,
    STREAM_ENDS,
    Figures,
)
from xmpp_rest.protocol.conditions import DEFAULT_TYPE

AT_ONCE = 100  # answers
CONDITIONS = frozenset(DEFAULT_TYPE) - {"payment-required"}  # RFC 6120 has it no longer
_WITHOUT_LABELS: tuple[Labels, ...] = ((),)


class Counts:
    """What one process counts. Safe to be used by several threads. `enabled`: False: nothing is counted."""

    def __init__(
        self, domains: Iterable[str] = (), callbacks: Iterable[str] = (), *, logins: Iterable[str] = (), enabled: bool = False
    ) -> None:
        """`domains`: those with a stream of their own; `callbacks`: the names of their sections; `logins`: the patterns of [login.NAME]."""
        self.enabled = enabled
        self._families: list[Counter | Histogram] = []
        names, streams, patterns = tuple(callbacks), tuple(domains), tuple(logins)
        self._answers = self._counter("http_requests_total", product(APIS, ("GET", "POST"), (200, 500)))  # good ones, and those of alerts
        self._durations = self._histogram("http_request_duration_seconds", product(APIS))
        self._seen: deque[Answered] = deque()  # answers that are not counted yet
        self._counting = Lock()  # held by the thread that does
        self._stanzas = self._counter("stanzas_total", product(("out", "in"), KINDS))
        self._refused = self._counter("stanzas_refused_total", product((*sorted(CONDITIONS), OTHER)))
        self._iq_timeouts = self._counter("iq_timeouts_total", _WITHOUT_LABELS)
        self._opened = self._counter(OPENED, product(streams))
        self._failures = self._counter("link_failures_total", product(streams, LINK_FAILURES))
        self._outbox_refused = self._counter("outbox_refused_total", _WITHOUT_LABELS)
        self._ended = self._counter("streams_ended_total", product(STREAM_ENDS))
        self._callbacks = self._counter("callback_requests_total", product(names, CALLBACK_RESULTS))
        self._callback_durations = self._histogram("callback_request_duration_seconds", product(names))
        self._logins = self._counter("logins_total", product(patterns, LOGIN_RESULTS))
        self._login_durations = self._histogram("login_seconds", _WITHOUT_LABELS)
        self._owner_calls = self._histogram("cluster_call_seconds", ())
        self._resumes = self._counter("session_resumes_total", product(RESUMES))
        self._sessions_refused = self._counter("session_refused_total", product(SESSION_REFUSALS))
        self._hooks = self._counter("hook_requests_total", ())
        self._hook_names: set[str] = set()
        self._naming = Lock()  # guards it
        self._auth_failures = self._counter("auth_failures_total", product(APIS, REFUSALS))
        self._storage_errors = self._counter("storage_errors_total", product(OPERATIONS))
        self._commits = self._histogram("storage_write_duration_seconds", _WITHOUT_LABELS)

    def _counter(self, name: str, known: Iterable[Labels]) -> Counter | NotCounted:
        if not self.enabled:
            return NotCounted()
        self._families.append(counter := Counter(name, known))
        return counter

    def _histogram(self, name: str, known: Iterable[Labels]) -> Histogram | NotCounted:
        if not self.enabled:
            return NotCounted()
        self._families.append(histogram := Histogram(name, known))
        return histogram

    def figures(self) -> Figures:
        """All that was counted."""
        self._count_answers()
        figures: Figures = {}
        for family in self._families:
            figures |= family.figures()
        return figures

    # what is counted

    def answered(self, answered: Answered) -> None:
        """An answer is complete."""
        self._seen.append(answered)
        if len(self._seen) >= AT_ONCE:
            self._count_answers()

    def _count_answers(self) -> None:
        """Count the answers, many at once: one by one each would find the processor's caches cold, and cost two or three times as much."""
        with self._counting:
            for _ in range(len(self._seen)):
                api, method, _, status, seconds = self._seen.popleft()[:5]
                self._answers.count(api, method if method in METHODS else OTHER, status)
                self._durations.observe(seconds, api)

    def handed_in(self, kind: str) -> None:
        """A caller handed in a stanza of this kind, to be sent."""
        self._stanzas.count("out", kind)

    def received(self, kind: str) -> None:
        """A stanza of this kind came over the link."""
        self._stanzas.count("in", kind)

    def came_back(self, condition: str) -> None:
        """A stanza came back as an error with this condition."""
        self._refused.count(condition if condition in CONDITIONS else OTHER)

    def iq_timed_out(self) -> None:
        """A request waited for the answer to an iq in vain."""
        self._iq_timeouts.count()

    def link_opened(self, domain: str) -> None:
        """The stream of this domain is up."""
        self._opened.count(domain)

    def link_failed(self, domain: str, reason: str) -> None:
        """An attempt to open the stream of this domain has failed, or the stream has ended."""
        self._failures.count(domain, reason)

    def outbox_refused(self) -> None:
        """The outbox was full, so that a stanza was refused."""
        self._outbox_refused.count()

    def stream_ended(self, reason: str) -> None:
        """An event stream has ended, for one of STREAM_ENDS."""
        self._ended.count(reason)

    def callback_tried(self, callback: str, result: str, seconds: float) -> None:
        """An attempt to deliver a stanza to the URL of a callback is over; `result` is one of CALLBACK_RESULTS."""
        self._callbacks.count(callback, result)
        self._callback_durations.observe(seconds, callback)

    def logged_in(self, pattern: str, result: str, seconds: float) -> None:
        """A login at the server of an account, or a check of its password, is over; `result` is one of LOGIN_RESULTS."""
        self._logins.count(pattern, result if result in LOGIN_RESULTS else OTHER)
        self._login_durations.observe(seconds)

    def called_owner(self, seconds: float) -> None:
        """A call to the owner on another node was answered, after so long."""
        self._owner_calls.observe(seconds)

    def session_resumed(self, result: str) -> None:
        """It is known what became of a session that broke off: one of RESUMES."""
        self._resumes.count(result)

    def session_refused(self, reason: str) -> None:
        """A request was refused without asking the server of its account, for one of SESSION_REFUSALS."""
        self._sessions_refused.count(reason)

    def hook_requested(self, hook: str, result: str) -> None:
        """A request to a hook was answered; `result` is one of HOOK_RESULTS."""
        with self._naming:
            if hook not in self._hook_names:
                if len(self._hook_names) < MAX_HOOKS:
                    self._hook_names.add(hook)
                else:
                    hook = OTHER
        self._hooks.count(hook, result if result in HOOK_RESULTS else OTHER)

    def auth_failed(self, api: str, reason: str) -> None:
        """Credentials were refused, for one of REFUSALS."""
        self._auth_failures.count(api, reason)

    def storage_failed(self, operation: str) -> None:
        """The storage failed an operation: read or write."""
        self._storage_errors.count(operation)

    def committed(self, seconds: float) -> None:
        """The storage has committed, which took so long."""
        self._commits.observe(seconds)
