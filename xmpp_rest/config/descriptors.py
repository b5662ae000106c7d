"""Says how many files a process may have open, and what it needs them for. A connection is one of them."""

from __future__ import annotations

import resource

from xmpp_rest.config.table import Settings

CONNECTIONS = 1000  # that a process takes at once, if it may have as many descriptors
OF_A_THREAD = 4  # descriptors that a thread may need at once: a database with its log and shared memory, or a file and its folder
OTHERS = 100  # log, links, journals, other processes, libraries


def limit() -> int:
    """How many a process may have (RLIMIT_NOFILE); a very large number where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


def reserve(settings: Settings) -> int:
    """How many a process needs besides its connections."""
    callbacks = sum(callback.concurrency for callback in settings.callbacks.values())
    return settings.server.threads * OF_A_THREAD + callbacks + OTHERS


def connections(settings: Settings) -> int:
    """How many connections a process should take at once, so that it never runs out of descriptors for its work."""
    return max(settings.server.threads + 1, min(CONNECTIONS, limit() - reserve(settings)))
