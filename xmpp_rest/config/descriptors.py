"""File descriptors of a process: its limit, and the share that is left for connections."""

from __future__ import annotations

import logging
import math
import resource

from xmpp_rest.config.table import Settings

log = logging.getLogger("xmpp_rest.config")

CONNECTIONS = 10_000  # of a process at once, if its limit of descriptors allows it
SHARE = 0.75  # of the limit, at most, so that the rest of the process never goes short
OF_A_THREAD = 4  # descriptors that a thread may need at once: a database with its log and shared memory, or a file and its folder
OTHERS = 100  # log, links, journals, other processes, libraries


def limit() -> int:
    """The limit to which a process may raise its own (RLIMIT_NOFILE, the hard one); a very large number if there is none."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if hard == resource.RLIM_INFINITY else hard


def raise_limit(settings: Settings) -> None:
    """Have this process, and those that it begins, use what the system allows, as far as there is any use for it.

    The soft limit is 1024 almost everywhere, for the sake of programs that call select(2), which this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(limit(), wanted_for_all(settings))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as e:  # macOS allows less than it says
        log.warning("the limit of open files (RLIMIT_NOFILE) stays %d instead of %d: %s", soft, wanted, e)


def reserve(settings: Settings) -> int:
    """The number that a process needs besides its connections."""
    callbacks = sum(callback.concurrency for callback in settings.callbacks.values())
    return settings.server.threads * OF_A_THREAD + callbacks + OTHERS


def wanted_for_all(settings: Settings) -> int:
    """The limit that allows CONNECTIONS."""
    return max(CONNECTIONS + reserve(settings), math.ceil(CONNECTIONS / SHARE))


def connections(settings: Settings) -> int:
    """The number of connections that a process should accept at once, so that it never runs out of descriptors."""
    return max(settings.server.threads + 1, min(CONNECTIONS, int(limit() * SHARE), limit() - reserve(settings)))
