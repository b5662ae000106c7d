"""File descriptors of a process: its limit, and the share that is left for connections."""

from __future__ import annotations

import resource

from xmpp_rest.config.table import Settings

CONNECTIONS = 10_000  # of a process at once, if its limit of descriptors allows it
OF_A_THREAD = 4  # descriptors that a thread may need at once: a database with its log and shared memory, or a file and its folder
OTHERS = 100  # log, links, journals, other processes, libraries


def limit() -> int:
    """The limit of a process (RLIMIT_NOFILE); a very large number if there is none."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


def reserve(settings: Settings) -> int:
    """The number that a process needs besides its connections."""
    callbacks = sum(callback.concurrency for callback in settings.callbacks.values())
    return settings.server.threads * OF_A_THREAD + callbacks + OTHERS


def connections(settings: Settings) -> int:
    """The number of connections that a process should accept at once, so that it never runs out of descriptors."""
    return max(settings.server.threads + 1, min(CONNECTIONS, limit() - reserve(settings)))
