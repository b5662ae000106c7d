"""How a process begins to take part in its groups: the first is waited for, and no other holds it up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from xmpp_rest.processes.remote import Remote

log = logging.getLogger("xmpp_rest.server")


def start_all(remotes: Sequence[Remote]) -> None:
    """Returns once the first has a leader (bounded). What is called of the others waits for theirs by itself."""
    first, *others = remotes
    for remote in others:
        remote.await_role()  # nothing is done here that may be another process's
        threading.Thread(target=_start, args=(remote,), name="group start", daemon=True).start()
    first.start()


def _start(remote: Remote) -> None:
    try:
        remote.start()
    except Exception:
        log.exception("a group of processes could not be joined")
