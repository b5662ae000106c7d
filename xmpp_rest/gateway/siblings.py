"""What does a process that does not own the link have the owner do? (decision 0007)

Stanzas are routed, archived and answered in the owner alone, so that order, waiting iqs and rooms have one place. The other processes do
the HTTP: credentials, formats, reading from the storage, and event streams, which the owner's broadcasts feed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import ERRORS, GatewayError, Unanswered, of_storage
from xmpp_rest.link.router import Router
from xmpp_rest.processes.election import Hub
from xmpp_rest.processes.server import Handler
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.streams.registry import MOVED, Streams
from xmpp_rest.service.streams.stream import Event
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.timers import Timer, Timers
from xmpp_rest.threads.waits import Wait, Waits

log = logging.getLogger(__name__)

QUICK = 30.0  # seconds that a call which does not wait may take
ASIDE = 32  # threads for what peers have done that takes its time
MARGIN = 5.0  # seconds on top of those that a call waits for somebody else


class Siblings:
    """The processes of one gateway. Owned by the Gateway; `start()` returns once this process has its place among them.

    `on_role` is told whether this process owns the link from now on. `offers`: what else the owner does for the others, by name, with
    keyword arguments and results that are JSON; `have_done` asks for it.
    """

    def __init__(
        self,
        folder: Path,
        router: Router,
        sending: Sending,
        streams: Streams,
        waits: Waits,
        on_role: Callable[[bool], None],
        offers: Mapping[str, Handler],
    ) -> None:
        self._router = router
        self._sending = sending
        self._streams = streams
        self._waits = waits
        self._on_role = on_role
        quick: dict[str, Handler] = {"route": self._do_route, "publish": self._do_publish}
        quick |= {"outcome": self._do_outcome, "order": self._do_order, "receive": self._do_receive, **offers}
        self.orders: dict[str, Handler] = {}
        """What every process does when one of them says so, by name."""
        later: dict[str, Handler] = {"ask": self._do_ask, "send_many": self._do_send_many, "wait": self._do_wait}
        quick, later = ({name: _naming(handler) for name, handler in calls.items()} for calls in (quick, later))
        self._timers = Timers()
        self._aside = ThreadPoolExecutor(ASIDE, thread_name_prefix="aside")
        self._hub = Hub(folder, quick=quick, later=later, on_role=self._role, on_event=self._heard)
        self._reign = 0  # how often the role has changed
        self._listening = -1  # the reign in which the owner was asked to tell what happens
        self._ears = threading.Lock()
        self._pid = 0  # of the process in which it runs
        streams.joining = self._listen

    def start(self) -> None:
        self._hub.start()
        self._pid = os.getpid()

    def stop(self) -> None:
        self._pid = 0
        self._hub.stop()
        self._timers.stop()
        self._aside.shutdown(wait=False, cancel_futures=True)

    @property
    def is_owner(self) -> bool:
        """Whether this process owns the link."""
        return self._hub.is_owner

    @property
    def several(self) -> bool:
        """Whether there is another process."""
        return self._hub.has_company

    def _role(self, owner: bool) -> None:
        self._reign += 1
        self._router.away = self._sending.away = None if owner else self
        self._streams.relay = self._tell if owner else self.publish
        if not owner:
            self._streams.restart(MOVED)
        self._on_role(owner)

    def _listen(self) -> int:
        """Somebody is about to listen in this process, which has to hear of everything from now on; which reign this is good for."""
        with self._ears:
            reign = self._reign
            if self._listening != reign and not self.is_owner:
                self._hub.listen()
            self._listening = reign
            return reign

    def have_done(self, name: str, **arguments: Any) -> Any:
        """Have the owner do one of the `offers`, which this process may be itself. Raises GatewayError."""
        with _perhaps_done():
            return self._call(name, **arguments)

    def _call(self, name: str, **arguments: Any) -> Any:
        if self.is_owner:
            return self._hub.call(name, QUICK, **arguments)
        with self._waits.calling():
            return self._hub.call(name, QUICK, **arguments)

    def order(self, name: str, **arguments: Any) -> None:
        """Have every process do one of the `orders`. Raises GatewayError."""
        self._call("order", order=name, arguments=arguments)

    def everywhere(self, name: str, **arguments: Any) -> Any:
        """Have every process do one of the `orders`; what it came to in this one. Raises GatewayError."""
        done = self.orders[name](**arguments)
        if self._pid == os.getpid():
            self.order(name, **arguments)
        return done

    def receive(self, stanza: Element) -> Element | None:
        """`Sending.receive`, in the owner."""
        with _perhaps_done():
            return _element(self._call("receive", stanza=serialise(stanza)))

    # asked by a peer, done by the owner

    def route(self, stanza: Element) -> Element | None:
        """`Router.send`, in the owner."""
        with _perhaps_done():
            return _element(self._call("route", stanza=serialise(stanza)))

    def send_many(self, stanzas: Sequence[OutboundMessage], *, again: bool = False) -> list[Result]:
        """`Sending.send_many`, in the owner, for stanzas that have their text, or `send_again`; the caller is among the `calling`."""
        written = [[outgoing.text, outgoing.posted] for outgoing in stanzas]
        with _perhaps_done():
            return [_result(shown) for shown in self._hub.call("send_many", QUICK, stanzas=written, again=again)]

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """`Router.ask`, in the owner."""
        with _perhaps_done():
            answer, *collected = self._hub.call("ask", wait.seconds + MARGIN, wait.gone, stanza=serialise(iq), seconds=wait.seconds)
        return parse_stored(answer), [parse_stored(text) for text in collected]

    def publish(self, owner: JID, event: Event) -> None:
        """`Streams.publish`, in all processes."""
        self._call("publish", event=_written(owner, event))

    def outcome(self, sender: JID, identifier: str) -> Outcome | None:
        """`Sending.outcome`, in the owner."""
        return _outcome(self._call("outcome", sender=str(sender), identifier=identifier))

    def wait(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """`Sending.wait`, in the owner."""
        asked = {"sender": str(sender), "identifier": identifier, "seconds": wait.seconds}
        return _outcome(self._hub.call("wait", wait.seconds + MARGIN, wait.gone, **asked))

    # done by the owner, for a peer

    def _do_order(self, order: str, arguments: dict[str, Any]) -> None:
        self.orders[order](**arguments)
        self._hub.broadcast({"order": order, "arguments": arguments})

    def _do_receive(self, stanza: str) -> str | None:
        element = parse_stored(stanza)
        return _text(self._sending.receive(element, *_ends(element)))

    def _do_route(self, stanza: str) -> str | None:
        return _text(self._router.send(parse_stored(stanza)))

    def _do_send_many(
        self, tell: Callable[[list[list[str]] | Exception], None], stanzas: list[tuple[str, bool]], again: bool = False
    ) -> None:
        elements = [(parse_stored(text), text, posted) for text, posted in stanzas]

        def then(results: Sequence[Result] | Exception) -> None:
            _tell(tell, lambda: results if isinstance(results, Exception) else [_shown_result(result) for result in results])

        outgoing = [OutboundMessage(e, *_ends(e), text, posted) for e, text, posted in elements]
        if again:
            self._put_aside(lambda: _tell(tell, lambda: [_shown_result(result) for result in self._sending.send_again(outgoing)]))
            return
        self._sending.send_many_then(outgoing, then, self._put_aside)

    def _do_ask(self, tell: Callable[[list[str] | Exception], None], stanza: str, seconds: float) -> Callable[[], None]:
        def then(outcome: Element | Exception, collected: list[Element]) -> None:
            # on the stream's thread, which must not end for what somebody has answered
            _tell(tell, lambda: outcome if isinstance(outcome, Exception) else [serialise(outcome), *map(serialise, collected)])

        return self._router.ask_then(parse_stored(stanza), seconds, self._timers, then, self._put_aside)

    def _put_aside(self, work: Callable[[], None]) -> None:
        """Have it done by a thread, or else here: what was taken is done once, also where the process ends or has no further thread."""
        begun = threading.Lock()

        def once() -> None:
            if begun.acquire(blocking=False):
                work()

        try:
            done = self._aside.submit(once)
        except RuntimeError:
            once()
            return
        done.add_done_callback(lambda done: once() if done.cancelled() else None)

    def _do_publish(self, event: dict[str, Any]) -> None:
        owner, happened = _read(event)
        self._tell(owner, happened)

    def _do_outcome(self, sender: str, identifier: str) -> dict[str, Any] | None:
        return _shown(self._sending.outcome(parse_jid(sender), identifier))

    def _do_wait(
        self, tell: Callable[[dict[str, Any] | None], None], sender: str, identifier: str, seconds: float
    ) -> Callable[[], None]:
        jid, ended = parse_jid(sender), OneShot[bool]()

        def end() -> None:
            """It is decided, or takes too long, or nobody waits any more: whichever comes first."""
            if ended.give(True):
                self._sending.unwatch(jid, identifier, end)
                self._timers.cancel(timer)
                tell(_shown(self._sending.outcome(jid, identifier)))

        timer = Timer(end)
        self._timers.set(timer, seconds)
        if not self._sending.watch(jid, identifier, end):
            end()
        return end

    # told by the owner

    def _tell(self, owner: JID, event: Event) -> None:
        self._streams.hear(owner, event)
        if self._hub.has_listeners:
            self._hub.tell(_written(owner, event))

    def _heard(self, message: dict[str, Any]) -> None:
        if "order" in message:
            # not on this thread, which alone can hear what the owner answers to a call that the order makes
            threading.Thread(target=self._obey, kwargs=message, name="order", daemon=True).start()
            return
        owner = parse_jid(message["owner"])
        if self._streams.is_open(owner):  # nearly nobody listens: nothing is parsed for nobody
            self._streams.hear(*_read(message))

    def _obey(self, order: str, arguments: dict[str, Any]) -> None:
        try:
            self.orders[order](**arguments)
        except Exception:  # the other processes have done it; this one goes on
            log.exception("the order %r could not be carried out", order)


@contextmanager
def _perhaps_done() -> Iterator[None]:
    """Nobody is told to try again what may have been done."""
    try:
        yield
    except Unanswered as e:
        raise GatewayError("unanswered") from e


def _naming(handler: Handler) -> Handler:
    """The same, but trouble with the storage has the name that other processes know it by."""

    def named(*tell: Any, **arguments: Any) -> Any:
        try:
            return handler(*tell, **arguments)
        except StorageError as e:
            raise _storage_failed(e) from e

    return named


def _storage_failed(error: StorageError) -> GatewayError:
    return GatewayError("storage-failed", of_storage(error, ERRORS["storage-failed"].text))


def _tell(tell: Callable[[Any], None], result: Callable[[], Any]) -> None:
    """Tell what `result` returns, or else why it cannot be told: the other process must not wait in vain."""
    try:
        told = result()
    except Exception as e:
        told = e
    tell(_storage_failed(told) if isinstance(told, StorageError) else told)


def _ends(stanza: Element) -> tuple[JID, JID]:
    sender = parse_jid(stanza.attrib["from"])
    return sender, parse_jid(stanza.attrib["to"]) if "to" in stanza.attrib else sender.bare


def _text(element: Element | None) -> str | None:
    return None if element is None else serialise(element)


def _element(text: str | None) -> Element | None:
    return None if text is None else parse_stored(text)


def _shown_result(result: Result) -> list[str]:
    """[]: accepted; the text of an answer; or name and text of an error."""
    if isinstance(result, StorageError):
        result = _storage_failed(result)
    if isinstance(result, Exception):
        if not isinstance(result, GatewayError):
            log.error("a stanza of another process could not be sent", exc_info=result)
            result = GatewayError("internal")
        return [result.name, result.text]
    return [] if result is None else [serialise(result)]


def _result(shown: list[str]) -> Result:
    if len(shown) > 1:
        return GatewayError(*shown)
    return parse_stored(shown[0]) if shown else None


def _written(owner: JID, event: Event) -> dict[str, Any]:
    return {"owner": str(owner), "id": event.id, "when": event.when, "sent": event.sent, "stanza": serialise(event.stanza)}


def _read(message: dict[str, Any]) -> tuple[JID, Event]:
    stanza = parse_stored(message["stanza"])
    return parse_jid(message["owner"]), Event(message["id"], message["when"], stanza, message["sent"])


def _shown(outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    return {"state": outcome.state, "since": outcome.since, "refusal": _text(outcome.refusal)}


def _outcome(shown: dict[str, Any] | None) -> Outcome | None:
    return None if shown is None else Outcome(shown["state"], shown["since"], _element(shown["refusal"]))
