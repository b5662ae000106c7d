"""Sends what hooks were to say at a later time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from xmpp_rest.logs.events import say
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.delivered import Result
from xmpp_rest.service.hooks.hook import Hook, HookSource
from xmpp_rest.service.hooks.said import Said
from xmpp_rest.service.scheduled.message import ScheduledMessage

log = logging.getLogger("xmpp_rest.link")


class NamedHooks(Protocol):
    """Where hooks are found by their names."""

    def named(self, name: str) -> Hook | None: ...


class TargetSender(Protocol):
    """What sends to the targets of a hook; it raises nothing."""

    def send(self, hook: Hook, said: Said) -> tuple[Result, ...]: ...


class HookMessages:
    """Sends to the targets that the hook has when the time comes; a hook that was removed says nothing any more."""

    def __init__(self, hooks: NamedHooks, sender: TargetSender, address: JID) -> None:
        """`address`: whom the hooks of the configuration belong to, which is no account."""
        self._hooks = hooks
        self._sender = sender
        self._address = address

    def need_no_account(self, message: ScheduledMessage) -> bool:
        """Whether the message is of a hook that belongs to no account."""
        return message.said is not None and message.owner == self._address

    def send(self, messages: Sequence[ScheduledMessage]) -> set[str]:
        """Send these, in order; the ids of those that none of the targets could take now."""
        return {message.id for message in messages if not self._send(message)}

    def _send(self, message: ScheduledMessage) -> bool:
        """Whether that is done."""
        hook = self._hooks.named(message.hook or "")
        named = {"sender": str(message.owner), "hook": message.hook, "id": message.id}
        if hook is None or message.said is None or hook.has_expired or _is_another(hook, message):
            say(log, logging.INFO, "scheduled-dropped", **named, reason="the hook was removed")
            return True
        results = self._sender.send(hook, replace(message.said, key=""))  # hooks §11: it takes no part in updates
        for result in results:
            if result.error is not None:
                fields = {"to": result.to, "stanza_id": result.id, "condition": result.error.condition}
                say(log, logging.WARNING, "scheduled-refused", **named, **fields)
        return not results or any(result.error is None or result.error.type != "wait" for result in results)


def _is_another(hook: Hook, message: ScheduledMessage) -> bool:
    """Whether the hook was made after the one of this name that was to say this; those of the configuration are known by name alone."""
    return hook.source is HookSource.ACCOUNT and hook.number != message.hook_number
