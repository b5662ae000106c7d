"""Commands that act on all accounts: on a few in the request, on more in the background (decision 0043)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from drivers import StorageError
from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.service.accounts.jobs import ALIKE, Job
from xmpp_rest.threads.pool import CompletingPool

log = logging.getLogger("xmpp_rest.commands")
T = TypeVar("T")
FEW = 50  # on which a command acts before it answers, as the peer does: 0.3 s
THREADS = 4  # of a job, whose writes share commits
CHUNK = 64  # items that they have at once
EXPECTED = (StorageError, GatewayError)


def few(services: Services) -> list[str] | None:
    """The localparts of the accounts, sorted; None if they are more than FEW."""
    first = services.accounts.some(FEW + 1)
    return first if len(first) <= FEW else None


def begin(services: Services, kind: str, work: Callable[[Job], None], about: str = "", alike: int = ALIKE) -> Job:
    """Have `work` done in the background. Raises CommandFailure if too many of its kind are under way."""
    try:
        return services.parts.jobs.run(kind, work, about=about, alike=alike)
    except GatewayError as e:
        raise rejected(e.text, "job_status shows what is under way") from e


def act_on(services: Services, kind: str, items: Iterable[T], act: Callable[[T], object], about: str = "") -> None:
    """Act on each item: at once if they are at most FEW, and then raise what goes wrong; else in the background."""
    rest = iter(items)
    first = list(islice(rest, FEW + 1))
    if len(first) > FEW:
        begin(services, kind, lambda job: each(services, job, chain(first, rest), lambda item: bool(act(item))), about)
        return
    for item in first:
        act(item)


def each(services: Services, job: Job, items: Iterable[T], act: Callable[[T], bool]) -> None:
    """Act on each item, with several threads; `act` says whether it did anything. A failure is counted, and the others go on.

    Raises JobEnded.
    """

    def attempt(item: T) -> bool | None:
        try:
            return act(item)
        except Exception as e:  # whatever it is, it concerns one of many
            unforeseen = not isinstance(e, EXPECTED)
            services.gateway.incidents.report(log, "job-item-failed", "a job does not do its work for %s: %s", item, e, trace=unforeseen)
            return None

    rest = iter(items)
    pool = CompletingPool(THREADS, "job")
    try:
        while chunk := list(islice(rest, CHUNK)):
            results = pool.results([partial(attempt, item) for item in chunk])
            job.did(results.count(True), results.count(None))
    finally:
        pool.stop()
