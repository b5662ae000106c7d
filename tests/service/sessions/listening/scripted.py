"""A gateway's listening part above an account's server that does what a test says: no session, no network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any
from xml.etree.ElementTree import Element

from drivers import Driver, StorageError
from tests.processes.memory import MemoryGroup
from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.config.table import StreamSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.forms import FORM, read_form
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import CARBONS, DELAY, DISCO_INFO, FORWARD, MAM, RSM, STANZA_ID
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import child, copied, make, refusal, result
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.sessions.listening.account_listening import ListeningServices
from xmpp_rest.service.sessions.listening.feeds import Feeds
from xmpp_rest.service.sessions.listening.foreign_streams import ForeignStreams
from xmpp_rest.service.sessions.listening.listeners import Listeners
from xmpp_rest.service.sessions.server_archive import ServerArchive
from xmpp_rest.service.sessions.server_features import ServerFeatures
from xmpp_rest.service.streams.registry import Event, Stream, Streams
from xmpp_rest.service.streams.timeline import HEARD_STORE, AccountTimeline
from xmpp_rest.threads.pool import CompletingPool
from xmpp_rest.threads.tasks import pause
from xmpp_rest.threads.timers import Timers
from xmpp_rest.threads.waits import Waits

JULIET = parse_jid("juliet@capulet.example")
SESSION = JULIET._replace(resource="xmpp-rest-5f1c09ab")
ROMEO = "romeo@montague.example/orchard"
SECONDS = 60.0


def until(what: Callable[[], Any]) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end
        pause(0.01)


class ScriptedSession:
    has_ended = False


class ScriptedServer:
    """The server of one account, with one session: an `AccountStreams`."""

    def __init__(self) -> None:
        self.archive: list[tuple[str, Element]] = []
        self.written: list[Element] = []
        self.extended = True
        self.takes_any = False
        """Behind an id that it does not know there is nothing."""
        self.has_archive = self.lists_archive = True
        self.carbons = True
        self.is_up = True
        self.refusing = ""  # the condition by which queries to the archive are refused
        self.frozen: list[Element] | None = None  # queries that wait for `thaw`
        self.numbered = False
        self.answered = 0  # queries to the archive
        self.holds = 0
        self.own: int | None = None  # the priority of the account's own presence
        self.session = ScriptedSession()
        self.deliver: Callable[[Element], object] = lambda _: None
        self.answer: Callable[[Element], object] = lambda _: None
        self._lock = threading.Lock()

    # what the gateway asks

    def has(self, sender: JID) -> bool:
        return self.is_up and sender.bare == JULIET

    def jid(self, sender: JID) -> JID:
        if not self.has(sender):
            raise GatewayError("session-lost")
        return SESSION

    def stream(self, sender: JID) -> int:
        return int(self.has(sender))

    def send(self, sender: JID, stanza: Element) -> None:
        self.jid(sender)
        self.written.append(stanza)
        if stanza.tag == "iq":
            self._take(stanza)

    def hold(self, account: JID) -> ScriptedServer:
        self.jid(account)
        self.holds += 1
        return self

    def release(self) -> None:
        self.holds -= 1

    # what a test has it do

    def keep(self, body: str, *, sender: str = ROMEO, to: str = str(JULIET), identifier: str = "", **attributes: str) -> Element:
        """A message that is in the archive now."""
        number = len(self.archive) + 1
        archived = identifier or (str(1_600_000_000_000_000 + number) if self.numbered else f"a{number:04}")
        message = make("message", child("body", body), from_=sender, to_=to, type_="chat", id_=f"m-{body}", **attributes)
        with self._lock:
            self.archive.append((archived, message))
        return copied(message, [*message, child(f"{{{STANZA_ID}}}stanza-id", by=str(JULIET), id=archived)])

    def say(self, body: str, **attributes: str) -> None:
        """Archive a message, and deliver it to the session."""
        self.deliver(self.keep(body, **attributes))

    def say_by_carbon(self, body: str, *, outer: str = str(JULIET), direction: str = "received", **attributes: str) -> None:
        """Archive a message that another resource gets, or has sent, with a copy for the session."""
        message = self.keep(body, **attributes)
        self.deliver(carbon(message, outer, direction))

    def thaw(self) -> None:
        """Answer the queries that wait."""
        waiting, self.frozen = self.frozen or [], None
        for iq in waiting:
            self._reply(iq)

    def available(self, resource: str = "phone", priority: int = 0, kind: str = "") -> None:
        """Another resource says how it is."""
        self.deliver(make("presence", child("priority", str(priority)), from_=f"{JULIET}/{resource}", to_=str(SESSION), type_=kind))

    def queries(self) -> list[Element]:
        """Queries to the archive."""
        return [iq for iq in self.written if iq.find(f"{{{MAM}}}query") is not None]

    def presences(self) -> list[str]:
        """What was said of presence: the priority, or the type."""
        return [p.get("type") or p.findtext("priority") or "" for p in self.written if p.tag == "presence"]

    def copies(self) -> list[str]:
        """What was asked about carbons."""
        return [iq[0].tag.partition("}")[2] for iq in self.written if iq.tag == "iq" and iq[0].tag.startswith(f"{{{CARBONS}}}")]

    def _take(self, iq: Element) -> None:
        if self.frozen is not None and iq.find(f"{{{MAM}}}query") is not None:
            self.frozen.append(iq)
        else:
            self._reply(iq)

    def _reply(self, iq: Element) -> None:
        iq = copied(iq, to_=str(JULIET))
        namespace = iq[0].tag[1:].partition("}")[0]
        answers = {MAM: self._page, CARBONS: self._copy, DISCO_INFO: self._features}
        self.answer(answers[namespace](iq))
        self.answered += namespace == MAM

    def _features(self, iq: Element) -> Element:
        names = [MAM, f"{MAM}#extended"][: 1 + self.extended] if self.lists_archive else []
        return result(iq, child_of(f"{{{DISCO_INFO}}}query", *(child(f"{{{DISCO_INFO}}}feature", var=name) for name in names)))

    def _copy(self, iq: Element) -> Element:
        return result(iq) if self.carbons else refusal(iq, stanza_error("service-unavailable"))

    def _page(self, iq: Element) -> Element:
        if self.refusing or not self.has_archive:
            return refusal(iq, stanza_error(self.refusing or "service-unavailable"))
        query = iq[0]
        rsm = query.find(f"{{{RSM}}}set")
        form = query.find(f"{FORM}x")
        assert rsm is not None
        assert form is not None
        most = int(rsm.findtext(f"{{{RSM}}}max", ""))
        before, after = rsm.findtext(f"{{{RSM}}}before"), rsm.findtext(f"{{{RSM}}}after")
        with self._lock:
            items = list(self.archive)
        ids = [identifier for identifier, _ in items]
        if (wanted := read_form(form).get("ids")) is not None:
            items, known = [item for item in items if item[0] in wanted], set(wanted) <= set(ids)
            ids = [identifier for identifier, _ in items]
        else:
            known = not (before or after) or (before or after) in ids or self.takes_any
        if not known and self.extended:
            return refusal(iq, stanza_error("item-not-found"))
        if known and after:
            items = items[ids.index(after) + 1 :] if after in ids else []
        if known and before:
            items = items[: ids.index(before)]
        page = items[:most] if before is None else items[-most:]
        for identifier, message in page:
            self.answer(archived(identifier, message, query.get("queryid", "")))
        bounds = [child(f"{{{RSM}}}first", page[0][0]), child(f"{{{RSM}}}last", page[-1][0])] if page else []
        fin = child_of(f"{{{MAM}}}fin", child_of(f"{{{RSM}}}set", *bounds))
        if len(page) == len(items):
            fin.set("complete", "true")
        return result(iq, fin)


def child_of(name: str, *children: Element) -> Element:
    element = child(name)
    element.extend(children)
    return element


def archived(identifier: str, message: Element, queryid: str) -> Element:
    number = int("".join(filter(str.isdigit, identifier)) or "0") % 100_000
    delay = child(f"{{{DELAY}}}delay", stamp=write_datetime(1_700_000_000 + number))
    found = child_of(f"{{{MAM}}}result", child_of(f"{{{FORWARD}}}forwarded", delay, message))
    found.attrib.update(id=identifier, queryid=queryid)
    return make("message", found, from_=str(JULIET), to_=str(SESSION))


def carbon(message: Element, outer: str, direction: str) -> Element:
    forwarded = child_of(f"{{{FORWARD}}}forwarded", message)
    return make("message", child_of(f"{{{CARBONS}}}{direction}", forwarded), from_=outer, to_=str(SESSION), type_="chat")


class Process:
    """What one process of the gateway has for streams of accounts of other servers."""

    def __init__(self, server: ScriptedServer, group: list[MemoryGroup], driver: Driver, settings: dict[str, Any], size: int) -> None:
        self.remote = Remote(MemoryGroup(group), Waits(64), StorageError)
        self.incidents = Incidents()
        router = Router(frozenset({"gateway.example"}), Pending(1000), self.remote, incidents=self.incidents)
        router.accounts.serve_by(server)
        bounds = StreamSettings(total=50, per_account=10, queue_size=size, heartbeat=15, write_timeout=30)
        timeline = AccountTimeline(Archive(driver), Archive(driver, HEARD_STORE))
        self.streams = Streams(timeline, bounds, Waits(64), self.remote, Events(self.incidents), Counts())
        feeds = Feeds(self.streams, self.remote, self.incidents)
        self.pool, self.timers = CompletingPool(2, "listening"), Timers("listening")
        self.settings = SessionsSettings(
            **({f.name: f.metadata["read"](f.metadata["default"]) for f in fields(SessionsSettings)} | settings)
        )
        waits = Waits(64)
        services = ListeningServices(
            router, ServerArchive(router, waits), ServerFeatures(router, waits), lambda: self.settings, self.streams.publish, feeds.end,
            self.pool, self.incidents,
        )  # fmt: skip
        self.listeners = Listeners(services, self.streams.directory.count, server.hold, lambda _: server.own, self.timers)
        self.foreign = ForeignStreams(self.streams, self.listeners, feeds, size, self.remote)
        self._router = router

    def answer(self, stanza: Element) -> None:
        """As the sessions' thread takes an answer."""
        stanza = parse_stored(serialise(stanza))
        assert self._router.resolve(stanza, parse_jid(stanza.get("from", "")), SESSION)

    def stop(self) -> None:
        self.streams.stop()
        self.timers.stop()
        self.pool.stop()
        self.streams.close()


@contextmanager
def gateway(server: ScriptedServer, driver: Driver, processes: int = 1, size: int = 1000, **settings: Any) -> Iterator[list[Process]]:
    """So many processes, the first of which leads."""
    group: list[MemoryGroup] = []
    made = [Process(server, group, driver, {"poll": 0.1} | settings, size) for _ in range(processes)]
    for process in made:
        process.remote.start()
    leader = made[0]
    server.deliver = lambda stanza: leader.listeners.received(JULIET, parse_stored(serialise(stanza)))
    server.answer = leader.answer
    try:
        yield made
    finally:
        for process in made:
            process.stop()


def read(stream: Stream, count: int) -> list[Event]:
    events: list[Event] = []
    end = time.monotonic() + SECONDS
    while len(events) < count:
        assert time.monotonic() < end, [event.stanza.findtext("body") for event in events]
        if (event := stream.next(1)) is not None:
            events.append(event)
    return events


def bodies(stream: Stream, count: int) -> list[str | None]:
    return [event.stanza.findtext("body") for event in read(stream, count)]
