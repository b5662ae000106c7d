"""Commands that remove old content in the background: in batches, at a rate, with a status (commands-api §12)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.job_progress import ABORTED, DONE, FAILED, INTERRUPTED, RUNNING

DAY = 86400  # seconds
MAX_DAYS = 1_000_000  # further back than any clock
SENTENCES = {
    RUNNING: "Operation in progress, deleted {done} messages",
    DONE: "Operation was completed after deleting {done} messages",
    ABORTED: "Operation was aborted after deleting {done} messages",
    FAILED: "Operation failed after deleting {done} messages with error {error}",
    INTERRUPTED: "Operation failed after deleting {done} messages with error {error}",
}


def before(days: int) -> float:
    """Unix time so many days ago. Raises CommandFailure."""
    if days < 0:
        raise rejected("Invalid number of days")
    return time.time() - min(days, MAX_DAYS) * DAY


def start(
    services: Services, name: str, owners: Callable[[], Iterator[JID]], remove: Callable[[JID, int], int], batch_size: int, rate: int
) -> str:
    """Remove with `remove(owner, limit)` in steps of `batch_size`, `rate` items a minute. Raises CommandFailure."""
    if batch_size < 1 or rate < 1:
        raise rejected("Batch size and rate must be positive")
    left = owners()
    owner = next(left, None)

    def step() -> int:
        nonlocal owner
        done = 0
        while owner is not None and done < batch_size:
            removed = remove(owner, batch_size - done)
            done += removed
            if removed == 0 or done < batch_size:
                owner = next(left, None)
        return done

    try:
        services.parts.jobs.start(name, step, 60 * batch_size / rate)
    except GatewayError as e:
        raise rejected(e.text) from e
    return ""


def status(services: Services, host: str, name: str) -> str:
    """How the job of a hosted domain is, in the peer's words."""
    services.require_host(host)
    progress = services.parts.jobs.progress(name)
    return SENTENCES[progress.state].format(**progress._asdict()) if progress else "Operation not started"


def abort(services: Services, host: str, name: str) -> str:
    """Stop the job of a hosted domain, in the peer's words."""
    services.require_host(host)
    return "Operation aborted" if services.parts.jobs.abort(name) else "No task running"
