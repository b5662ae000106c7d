"""The families of metrics: names, types, labels, and how the figures of several processes become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

PREFIX = "xmpp_rest_"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Upper bounds of all histograms, in seconds."""
APIS = ("rest", "rooms", "client", "data", "commands", "oauth", "hooks", "files", "ops", "web", "other")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
KINDS = ("message", "presence", "iq")
STREAM_APIS = ("rest", "client", "hooks")
STREAM_ENDS = ("closed", "slow", "credentials", "stopping")
CALLBACK_RESULTS = ("answered", "empty", "refused", "failed", "unreachable", "timeout")
HOOK_RESULTS = (
    "delivered", "scheduled", "silent", "repeated", "refused", "unavailable", "limited", "invalid", "unsigned", "failed",
)  # fmt: skip
MAX_HOOKS = 500
"""Hooks that have figures of their own; those of others are added up as OTHER."""
REFUSALS = ("password", "unknown-account", "token", "banned", "throttled", "malformed", "elsewhere")
LOGIN_RESULTS = (
    "ok", "wrong", "account-disabled", "unreachable", "login-later", "no-server", "bad-certificate", "no-tls", "no-login", "impostor",
)  # fmt: skip
"""What a login at the server of an account may come to: right, wrong, or a name of the table of errors (accounts-anywhere §6)."""
RESUMES = ("resumed", "rebound", "failed")
"""What becomes of a session that broke: its stream was resumed, another one is bound in its place, or it ended."""
SESSION_REFUSALS = ("known-wrong", "too-many-failures", "login-paused", "backoff", "sessions-full")
"""Why a request of an account of another server is refused without asking that server (accounts-anywhere §5)."""
OPERATIONS = ("read", "write")
LINK_FAILURES = (
    "unreachable", "login-timeout", "refused", "silent", "disconnected", "closed", "bad-xml", "stanza-too-big",
    "not-authorized", "host-unknown", "conflict", "invalid-from", "system-shutdown", "undefined-condition", "internal-error",
)  # fmt: skip
"""Those that are common. Others are conditions of stream errors (RFC 6120 §4.9.3), and appear when they happen."""

Type = Literal["counter", "gauge", "histogram"]


class Family(NamedTuple):
    """One metric: `name` without the prefix, the names of its labels, and what it tells."""

    name: str
    type: Type
    labels: tuple[str, ...]
    help: str
    prefix: str = PREFIX

    @property
    def full_name(self) -> str:
        return self.prefix + self.name


_PROCESS = ""  # the metrics that every program has, by their usual names

TABLE = (
    Family("build_info", "gauge", ("version", "python"), "The version of the gateway, and that of Python; always 1."),
    Family("processes", "gauge", (), "Living processes."),
    Family("threads", "gauge", (), "Threads that may serve requests, in all processes."),
    Family("threads_busy", "gauge", (), "Of these, those at work."),
    Family("http_requests_total", "counter", ("api", "method", "code"), "Answers to HTTP requests; that of a stream counts when it ends."),
    Family("http_request_duration_seconds", "histogram", ("api",), "Time until an answer is written; of a stream until its head is."),
    Family("stanzas_total", "counter", ("direction", "kind"), "Stanzas that callers handed in (out), and that came over the link (in)."),
    Family("stanzas_refused_total", "counter", ("condition",), "Stanzas that came back as errors, by the condition of RFC 6120."),
    Family("iq_waiting", "gauge", (), "Requests that wait for the answer to an iq."),
    Family("iq_timeouts_total", "counter", (), "Requests that waited for the answer to an iq in vain."),
    Family("link_up", "gauge", ("domain",), "1 while the stream of the domain is up."),
    Family("link_reconnects_total", "counter", ("domain",), "Streams that were opened after the first one."),
    Family("link_failures_total", "counter", ("domain", "reason"), "Attempts to open a stream that failed, and streams that ended."),
    Family("outbox_stanzas", "gauge", (), "Stanzas that wait for the link, or for its confirmation."),
    Family("outbox_limit", "gauge", (), "How many may wait for one domain: [link] outbox_size."),
    Family("outbox_oldest_seconds", "gauge", (), "Age of the oldest stanza that waits; 0 where none does."),
    Family("outbox_refused_total", "counter", (), "Stanzas that were refused with 503 because the outbox was full."),
    Family("streams_open", "gauge", ("api",), "Open event streams."),
    Family("streams_ended_total", "counter", ("reason",), "Event streams that have ended."),
    Family("callback_requests_total", "counter", ("callback", "result"), "Attempts to deliver a stanza to the URL of a callback."),
    Family("callback_request_duration_seconds", "histogram", ("callback",), "Time of one attempt."),
    Family("callback_queue", "gauge", ("callback",), "Stanzas that wait for the URL of a callback."),
    Family("callback_dead_letters", "gauge", ("callback",), "Stanzas that were given up, and are kept."),
    Family("sessions", "gauge", ("domain",), "Sessions at the servers of accounts, by the pattern of [login.NAME] domains."),
    Family("logins_total", "counter", ("domain", "result"), "Logins and checks of passwords at the servers of accounts."),
    Family("login_seconds", "histogram", (), "Time of one of them, from DNS to the end."),
    Family("session_resumes_total", "counter", ("result",), "Sessions that broke off, by what became of them."),
    Family("session_refused_total", "counter", ("reason",), "Requests that were refused without asking the server of the account."),
    Family("rooms", "gauge", ("state",), "Accounts and bots in rooms on other servers, each room counted, by state."),
    Family("rooms_held", "gauge", (), "Messages that wait for such rooms."),
    Family("scheduled_soon", "gauge", (), "Scheduled messages that fall due in this hour, or are late."),
    Family("scheduled_late_seconds", "gauge", (), "How late the oldest of them is; 0 where none is."),
    Family("files", "gauge", (), "Files that are stored."),
    Family("files_bytes", "gauge", (), "The bytes that these have together."),
    Family("files_limit_bytes", "gauge", (), "How many they may have: [files] quota_total; 0 where there is no limit."),
    Family("hook_requests_total", "counter", ("hook", "result"), "Requests to incoming hooks."),
    Family("auth_failures_total", "counter", ("api", "reason"), "Credentials that were refused."),
    Family("storage_errors_total", "counter", ("operation",), "Reads and writes that the storage failed."),
    Family("storage_write_duration_seconds", "histogram", (), "Time of one commit of the storage."),
    Family("cluster_owner", "gauge", ("domain",), "1 where this node owns the domain, 0 where another one does, or none."),
    Family("cluster_epoch", "gauge", ("domain",), "The number of the owner: it grows by one with each change of owner."),
    Family("cluster_nodes", "gauge", (), "Nodes of the cluster that live, as this one sees it."),
    Family("cluster_call_seconds", "histogram", (), "Time of calls to the owner on another node."),
    Family("cluster_journal_rows", "gauge", (), "Promises in the journals of the database; told by the owner."),
    Family("process_cpu_seconds_total", "counter", (), "Processor time of all processes, in seconds.", _PROCESS),
    Family("process_resident_memory_bytes", "gauge", (), "Memory of all processes, in bytes.", _PROCESS),
    Family("process_open_fds", "gauge", (), "Open file descriptors of all processes.", _PROCESS),
    Family("process_max_fds", "gauge", (), "Most file descriptors that all processes may have open.", _PROCESS),
    Family("process_start_time_seconds", "gauge", (), "When the oldest process was started, as Unix time.", _PROCESS),
)
"""All metrics, in the order in which they are written."""
FAMILIES: Mapping[str, Family] = {family.name: family for family in TABLE}

OPENED = "link_streams_opened_total"  # counted, and not told: link_reconnects_total comes of it, over all processes
OLDEST = frozenset({"process_start_time_seconds"})
"""Gauges of which the least counts; of the others the sum. What only the leader knows, only the leader tells."""

Figures = dict[str, float]
"""Sample → value. A sample is the name without the prefix, and the values of its labels, parted by tabs; so it is a key of JSON."""


def sample(name: str, *labels: str) -> str:
    """The key of a sample."""
    return "\t".join((name, *labels))


def added(figures: list[Figures]) -> Figures:
    """The sum of these."""
    total: Figures = {}
    for some in figures:
        for key, value in some.items():
            total[key] = total.get(key, 0.0) + value
    return total


def merged(gauges: list[Figures]) -> Figures:
    """The gauges of several processes as one."""
    total = added(gauges)
    for name in OLDEST:
        if times := [some[name] for some in gauges if name in some]:
            total[name] = min(times)
    return total
