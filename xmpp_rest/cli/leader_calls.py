"""What the leader does for `xmpp-rest` on its own machine: a user who may open the socket in the data folder needs no password."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.api.ops.figures import figures
from xmpp_rest.api.rest.stream import is_stanza
from xmpp_rest.cli.cluster_calls import ClusterCalls
from xmpp_rest.cli.file_calls import FileCalls
from xmpp_rest.cli.hook_calls import HookCalls
from xmpp_rest.cli.listeners import LocalListener
from xmpp_rest.cli.runner import line_runner
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.batch import OutboundMessages, Result
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

LATE = 5.0  # seconds, at most, between the end of the time and the answer without events


class LeaderCalls(FileCalls):
    """Calls of the command line. One of a gateway that does not serve runs them itself."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._listeners: dict[str, LocalListener] = {}

    @on_leader(of_node=True)
    def send_many(self, stanzas: OutboundMessages) -> list[Result]:
        """As `Sending.send` for each of these, in order."""
        return self._gateway.parts.sending.send_many(stanzas)

    @on_leader(of_node=True)
    def ask(self, iq: Element, wait: Wait) -> list[Element]:
        """The answer to an iq, after the archive results that belong to it. Raises as `Sending.ask`."""
        answer, collected = self._gateway.parts.sending.ask(iq, wait)
        return [*collected, answer]

    @on_leader(of_node=True)
    def figures(self) -> dict[str, Any]:
        """The state of the gateway. Raises GatewayError, StorageError."""
        return figures(self._gateway)

    @on_leader(of_node=True)
    def last_id(self, account: JID) -> str:
        """The id of the latest event of the account that can be resumed after; "" if there is none. Raises StorageError."""
        return self._gateway.parts.streams.last_id(account)

    @on_leader(of_node=True)
    def listen(self, account: JID, after: str) -> str:
        """Open an event stream of an account, from the event `after` on, or from now on; its name for `events`.

        Raises GatewayError: account-unknown, event-unknown, streams-full; StorageError.
        """
        parts = self._gateway.parts
        if not parts.accounts.exists(account):
            raise GatewayError("account-unknown", f"{account} has no account here")
        name = secrets.token_hex(8)
        stream = parts.streams.open(account, after=after or None, wanted=is_stanza, holds_thread=False)
        self._listeners[name] = LocalListener(stream, parts.streams, partial(self._listeners.pop, name, None))
        return name

    def _events_deferred(self, reply: Reply, name: str, wait: Wait) -> End:
        return self._listener(name).next(reply, wait.seconds)

    @on_leader(deferred=_events_deferred, of_node=True)
    def events(self, name: str, wait: Wait) -> dict[str, Any]:
        """The next events of a stream, at once or within the time; `ended` says why there will be no more."""
        came = OneShot[dict[str, Any]]()

        def reply(events: dict[str, Any]) -> None:
            came.give(events)

        end = self._events_deferred(reply, name, wait)
        if (events := came.wait(wait.seconds + LATE, wait.gone)) is None:
            end()
            raise GatewayError("event-unknown", "Nobody waits for these events")
        return events

    @on_leader(of_node=True)
    def end_listening(self, name: str) -> None:
        """Nobody reads this stream any more."""
        if (listener := self._listeners.get(name)) is not None:
            listener.close()

    def _listener(self, name: str) -> LocalListener:
        try:
            return self._listeners[name]
        except KeyError:
            raise GatewayError("event-unknown", "The event stream has ended") from None


def offer_calls(gateway: Gateway, remote: Remote) -> None:
    """Offer what both programs call: this, and the commands of `xmpp-restctl`. Of several nodes, the one that is asked does it."""
    remote.offer(LeaderCalls(gateway))
    remote.offer(HookCalls(gateway))
    remote.offer(ClusterCalls(gateway))
    remote.answer(line_runner(gateway), of_node=True)
