"""Sends what hooks were to say at a later time."""

from __future__ import annotations

import hashlib
import logging
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from xmpp_rest.logs.events import say
from xmpp_rest.service.hooks.delivered import Result, is_for_now
from xmpp_rest.service.hooks.hook import Hook, HookSource
from xmpp_rest.service.hooks.said import Said
from xmpp_rest.service.scheduled.message import ScheduledMessage

log = logging.getLogger("xmpp_rest.hooks")

PATIENCE = 3600.0  # seconds for which is tried again what no target can take now, such as a room whose server is away
OnResults = Callable[[tuple[Result, ...]], object]
OnSettled = Callable[[str, bool], object]
"""Is told the id of a message, and whether nothing is left to be done."""


class NamedHooks(Protocol):
    """Where hooks are found by their names."""

    def named(self, name: str) -> Hook | None: ...
    def is_usable(self, hook: Hook) -> bool: ...


class DueSender(Protocol):
    """What sends to the targets of a hook, in the leader, without waiting; it raises nothing."""

    def send_due(self, hook: Hook, said: Said, ids: Sequence[str], tell: OnResults, /) -> None: ...


class TellsReaders(Protocol):
    """What tells those who read a hook's messages that one was sent. Raises nothing, and does not wait."""

    def sent(self, hook: Hook, due: str, /) -> None: ...


class HookMessages:
    """Sends to the targets that the hook has when the time comes; a hook that was removed says nothing any more."""

    def __init__(self, hooks: NamedHooks, sender: DueSender, published: TellsReaders) -> None:
        self._hooks = hooks
        self._sender = sender
        self._published = published
        self._tried: dict[str, float] = {}  # what could not be sent yet → when that was tried first, in monotonic time

    def send(self, message: ScheduledMessage, settled: OnSettled) -> None:
        """Send the message. `settled` may be called by any thread, also before this returns. Raises StorageError."""
        hook = self._hooks.named(message.hook or "")
        if hook is None or message.said is None or _is_another(hook, message):
            _drop(message, "the hook was removed")
        elif not self._hooks.is_usable(hook):
            _drop(message, "the account of the hook is banned, or there is none any more")
        else:
            ids = [stanza_id(message.id, str(target)) for target in hook.targets]
            self._sender.send_due(hook, message.said, ids, partial(self._settle, hook, message, settled))
            return
        settled(message.id, True)

    def _settle(self, hook: Hook, message: ScheduledMessage, settled: OnSettled, results: tuple[Result, ...]) -> None:
        is_sent = any(result.error is None for result in results)
        again = not is_sent and is_for_now(results) and self._is_tried_again(message.id)
        if not again:
            self._tried.pop(message.id, None)
            _tell_refused(message, results)
        if is_sent:
            self._published.sent(hook, message.id)
        settled(message.id, not again)

    def _is_tried_again(self, identifier: str) -> bool:
        """Counted from the first attempt, as what fell due while no process ran is to have its time."""
        now = time.monotonic()
        return now < self._tried.setdefault(identifier, now) + PATIENCE


def stanza_id(identifier: str, target: str) -> str:
    """The id of the stanza to one target: the same one if it is sent again, after a crash."""
    return urlsafe_b64encode(hashlib.sha256(f"{identifier}\n{target}".encode()).digest()[:18]).decode()


def _tell_refused(message: ScheduledMessage, results: Sequence[Result]) -> None:
    for result in results:
        if result.error is not None:
            fields = {"to": result.to, "stanza_id": result.id, "condition": result.error.condition}
            say(log, logging.WARNING, "scheduled-refused", sender=str(message.owner), hook=message.hook, id=message.id, **fields)


def _drop(message: ScheduledMessage, why: str) -> None:
    say(log, logging.WARNING, "scheduled-dropped", sender=str(message.owner), hook=message.hook, id=message.id, reason=why)


def _is_another(hook: Hook, message: ScheduledMessage) -> bool:
    """Whether the hook was made after the one of this name that was to say this; those of the configuration are known by name alone."""
    return hook.source is HookSource.ACCOUNT and hook.number != message.hook_number
