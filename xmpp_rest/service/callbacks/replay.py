"""Replay of a callback's dead letters: each is queued before it is removed, so it may be delivered twice."""

from __future__ import annotations

import time
from collections.abc import Sequence

from xmpp_rest.errors import GatewayError
from xmpp_rest.service.callbacks.dead_letters import DeadLetter
from xmpp_rest.service.callbacks.queue import CallbackQueue

PAGE = 100
MAX = 10_000  # of one call


def replay(queue: CallbackQueue, ids: Sequence[str] | None) -> list[str]:
    """Queue dead letters again, those with these ids or all present ones, oldest first; the ids of those that were queued.

    Ends where the queue is full. Raises StorageError; GatewayError: storage-failed, queue-full if not one found room.
    """
    started = time.time()
    replayed: list[str] = []
    while len(replayed) < MAX:
        page = [letter for letter in queue.dead.find(queue.name, ids=ids, limit=PAGE) if letter.when < started]
        queued = _replay_page(queue, page)
        # One that has failed again in the meantime is a dead letter again, with the same id: it stays.
        queue.dead.remove(queue.name, queued, before=started)
        replayed += queued
        if len(queued) < len(page) or not page:
            if page and not replayed:
                raise GatewayError("queue-full")
            return replayed
    return replayed


def _replay_page(queue: CallbackQueue, letters: Sequence[DeadLetter]) -> list[str]:
    queued = []
    for letter in letters:
        if not queue.replay(letter.delivery):
            break
        queued.append(letter.delivery.id)
    return queued
