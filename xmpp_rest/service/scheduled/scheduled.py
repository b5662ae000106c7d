"""Scheduled sending: messages that are kept until their time, and sent then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.config.hook_tables import LimitSettings
from xmpp_rest.errors import GatewayError, storage_failed
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.delivered import Due
from xmpp_rest.service.hooks.hook import Hook, HookSource
from xmpp_rest.service.hooks.said import Said
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.scheduled.message import ScheduledMessage, new_id
from xmpp_rest.service.scheduled.runner import ScheduledRunner
from xmpp_rest.service.scheduled.store import Hint, ScheduledStore

log = logging.getLogger("xmpp_rest.link")


Withdraw = Callable[[str, int, str], object]
"""Takes the name and the number of a hook, and the id of a message that it will not say."""


class StanzaToSchedule(NamedTuple):
    """A message, addressed and with an id, and whose it is.

    `is_id_given`: the client chose the id; `of_component`: the component sends it, whose senders need no account.
    """

    stanza: Element
    sender: JID
    to: JID
    is_id_given: bool = False
    of_component: bool = False


class Scheduled:
    """The messages that wait for their time. `configure` may be called at any time."""

    def __init__(
        self, store: ScheduledStore, runner: ScheduledRunner, sending: Sending, remote: Remote, limits: LimitSettings,
        send_limit: int, withdraw: Withdraw,
    ) -> None:  # fmt: skip
        """`runner`: sends them, in the leader. `send_limit`: bytes of a stanza that servers take; `withdraw`: from what can be read."""
        self._store = store
        self._runner = runner
        self._sending = sending
        self._limits = limits
        self._send_limit = send_limit
        self._withdraw = withdraw
        self._remote = remote
        remote.offer(self)

    def configure(self, limits: LimitSettings) -> None:
        """Keep to these limits from now on."""
        self._limits = limits

    def schedule_stanza(self, wanted: StanzaToSchedule, at: float) -> Due:
        """Send a message at this time (Unix time). It is kept when this returns.

        Raises GatewayError: schedule-full, bad-recipient, id-too-long, stanza-too-big, storage-failed; BadXML.
        """
        stanza, sender, to, is_id_given, of_component = wanted
        self._sending.require_sendable(stanza, to)
        text = serialise(stanza)
        if len(text.encode()) > self._send_limit:
            raise GatewayError("stanza-too-big", f"The stanza is larger than {self._send_limit} bytes")
        body = stanza.findtext("body") or ""
        return self._keep(
            ScheduledMessage(
                new_id(), sender.bare, _whole(at), time.time(), (str(to),), body,
                text, stanza.attrib["id"], is_id_given, of_component,
            )
        )  # fmt: skip

    def schedule_said(self, hook: Hook, said: Said, at: float) -> Due:
        """Have a hook say this at that time (Unix time), to the targets that it has then.

        Raises GatewayError: schedule-full, storage-failed.
        """
        to = tuple(str(target) for target in hook.targets)
        message = ScheduledMessage(
            new_id(), hook.owner, _whole(at), time.time(), to, said.text, hook=hook.name, hook_number=hook.number, said=said
        )
        return self._keep(message)

    def _keep(self, message: ScheduledMessage) -> Due:
        try:
            self._store.add(message, self._limits.scheduled)
        except StorageError as e:
            raise storage_failed(e, "The storage failed; nothing was scheduled") from e
        try:
            self.tell(message.at, message.owner, message.id)
        except GatewayError as e:  # it is kept: the leader, or the next one, finds it
            log.info("the leader is not told of a scheduled message: %s", e)
        return Due(message.id, message.at)

    @on_leader(repeatable=True)
    def tell(self, at: float, owner: JID, identifier: str) -> None:
        """Tell the leader of a new message."""
        self._runner.told(Hint(at, owner, identifier))

    def all(self, owner: JID) -> list[ScheduledMessage]:
        """The messages of the account that wait, the next first. Raises StorageError."""
        return self._store.all(owner)

    def get(self, owner: JID, identifier: str) -> ScheduledMessage | None:
        """One of them. Raises StorageError."""
        found = self._store.some(owner, (identifier,)).get(identifier)
        return found if isinstance(found, ScheduledMessage) else None

    @on_leader
    def remove(self, owner: JID, identifier: str) -> bool:
        """Have a message not sent; False if there is none that waits any more. Raises StorageError."""
        message = self.get(owner, identifier)
        removed = self._runner.remove(owner, identifier)
        if removed and message is not None and message.hook:
            self._withdraw(message.hook, message.hook_number, identifier)
        return removed

    def of_stanza(self, owner: JID, stanza_id: str) -> ScheduledMessage | None:
        """The one whose stanza has this id. Raises StorageError."""
        return next((m for m in self.all(owner) if m.stanza_id == stanza_id), None)

    def hook_removed(self, hook: Hook) -> None:
        """Remove what a hook was to say. Raises StorageError."""
        by_name = hook.source is HookSource.CONFIGURATION  # another hook may have an account's hook's name by now
        ids = [m.id for m in self.all(hook.owner) if m.hook == hook.name and (by_name or m.hook_number == hook.number)]
        if ids:
            self._store.remove(hook.owner, ids)


def _whole(at: float) -> float:
    """In milliseconds, which every storage keeps alike."""
    return round(at, 3)
