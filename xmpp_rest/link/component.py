"""The component stream of one hosted domain (XEP-0114), with one thread that owns and reads its socket."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import Any, NamedTuple, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.config.table import LinkSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.errors import REMEDIES, LinkDown
from xmpp_rest.link.login import log_in
from xmpp_rest.link.outbox import Outbox
from xmpp_rest.link.stream import StanzaStream
from xmpp_rest.link.transport import MayWrite, Transport
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.threads.backoff import Backoff

log = logging.getLogger("xmpp_rest.link")

CONFIRM_EVERY = 0.01  # seconds between two iqs to oneself: one confirms whatever was written before it
STEADY = 30.0  # seconds after which a stream counts as good, and the back-off starts again
DRAIN = 0.5  # seconds that a stop waits for what is under way to be confirmed, so that the next stream need not send it again
FIRST = 0.5  # seconds until the next attempt, after the first failure
FIRST_REFUSED = 4.0  # the same after a refused login: a configuration has to be changed
HELD = 0.05  # seconds between two looks whether the stream may be written to again
PATIENCE = 1.0  # seconds that Process waits at most; a stop is noticed at once through the waker


class State(NamedTuple):
    """How a stream is: `state` is connecting, online, waiting (for the next attempt) or stopped."""

    state: str
    since: float  # Unix time
    reason: str = ""  # of the last failure, as in LinkDown
    text: str = ""
    retry_at: float | None = None  # Unix time
    accepted: int = 0  # streams that were accepted since the start


class ComponentEvents(Protocol):
    """Who wants to know what happens on a stream. Called by the stream's thread, which must not be held up."""

    def received(self, domain: str, stanza: Element, size: int) -> None:
        """Called with a stanza from the stream of `domain`, and its size in bytes."""

    def skipped(self, domain: str, head: Element, why: str) -> None:
        """Called with the head (name, addresses, id, type) of a stanza beyond a bound, which was skipped."""

    def changed(self, domain: str, online: bool) -> None:
        """The stream of `domain` went up or down."""

    def congested(self) -> bool:
        """Whether nothing more should be read for now."""


class Component:
    """Attaches `domain`. `start()` makes the thread, `stop()` ends it; its owner is the Uplink."""

    def __init__(
        self, domain: str, settings: LinkSettings, events: ComponentEvents, outbox: Outbox, counts: Counts,
        may_write: MayWrite | None = None,
    ) -> None:  # fmt: skip
        """`may_write`: asked before each write; None: always."""
        self.domain = domain
        self.outbox = outbox
        self.state = State("stopped", time.time())
        self.stream = 0
        """The number of the stream that is up; 0: none is."""
        self._settings = settings
        self._events = events
        self._counts = counts
        self._incidents = Incidents()
        self._may_write = may_write
        self._tried = threading.Event()  # set once it has been online, or has failed to be
        self._stopping = threading.Event()
        self._is_cut = False  # nothing may be written any more
        self._thread = threading.Thread(target=self._run, name=f"link {domain}", daemon=True)
        self._transport: Transport | None = None
        self._confirmation = ""  # id of the iq to oneself that is under way
        self._confirmation_sent = 0.0
        self._mark = 0  # of the outbox, when it was sent
        self._resting = False  # whether the thread waits for nothing but the server

    @property
    def online(self) -> bool:
        """Whether stanzas are written at once."""
        return self.state.state == "online"

    def start(self) -> None:
        self._thread.start()

    def wait_tried(self, seconds: float) -> None:
        """Wait until it has been online, or has failed to be, if it has begun; for so long at most."""
        if self._thread.is_alive():
            self._tried.wait(seconds)

    def stop(self) -> None:
        """End the stream with its closing tag, once all is confirmed, and wait for the thread (both bounded)."""
        self._stopping.set()
        if transport := self._transport:
            transport.abort()
        if self._thread.is_alive():
            self._thread.join(5)

    def cut(self) -> None:
        """End the stream at once, without another byte: this process owns the domain no more. Does not wait."""
        self._is_cut = True
        self._stopping.set()
        if transport := self._transport:
            transport.abort()

    def _run(self) -> None:
        longest = self._settings.retry_max
        usual, refused = (FIRST, longest), (FIRST_REFUSED, 2 * longest)
        backoff = Backoff()
        while not self._stopping.is_set():
            if self._is_held:
                self._stopping.wait(HELD)
                continue
            self._change("connecting")
            started = time.monotonic()
            try:
                self._session()
            except LinkDown as e:
                if time.monotonic() - started > STEADY:
                    backoff.reset()
                self._wait(e, backoff.next(*(refused if e.refused else usual)))
            except OSError as e:  # no descriptor for a socket, say
                self._wait(LinkDown("unreachable", e.strerror or str(e)), backoff.next(*usual))
            except Exception:
                log.exception("%s: the stream failed unexpectedly", self.domain)
                self._wait(LinkDown("internal-error", "see the log"), backoff.next(*refused))
        self._change("stopped")

    def _wait(self, down: LinkDown, delay: float) -> None:
        if self._stopping.is_set():
            return
        self._counts.link_failed(self.domain, down.reason)
        remedy = f"; {REMEDIES[down.reason]}" if down.refused else ""
        level = logging.DEBUG if down.reason == self.state.reason else logging.WARNING  # once for each new reason
        log.log(level, "link %s is down: %s%s; next attempt in %.1f s", self.domain, down, remedy, delay)
        self._change("waiting", down, time.time() + delay)
        self._stopping.wait(delay)

    def _change(self, state: str, down: LinkDown | None = None, retry_at: float | None = None) -> None:
        before = self.state
        reason, text = (down.reason, down.text) if down else ("", "") if state == "online" else (before.reason, before.text)
        self.state = State(state, time.time(), reason, text, retry_at, before.accepted + (state == "online"))
        if state != "connecting":
            self._tried.set()

    def _session(self) -> None:
        """One stream from connecting to its end. Raises LinkDown; returns when the component is stopped."""
        s = self._settings
        server = (s.host, s.port)
        transport = Transport(s, self.outbox, self._events.congested, self._due_confirmation, self._may_write)
        self._transport = transport
        try:
            component = log_in(self.domain, s.secret, server, transport)
            component.Dispatcher.Stream = StanzaStream(self._received, s.stanza_size_limit, partial(self._events.skipped, self.domain))
            log.info("link %s is up: %s:%d", self.domain, *server)
            self._confirmation = ""
            self.stream = self.outbox.stream_begins()
            self._change("online")
            self._counts.link_opened(self.domain)
            self._events.changed(self.domain, True)
            component.Dispatcher.Stream.Parse(transport.logged_in())
            self._serve(component, transport)
        finally:
            self._transport = None
            self.stream = 0
            transport.close()
            self.outbox.stream_ended()
            if self.online:
                self._change("connecting")
                self._events.changed(self.domain, False)

    def _serve(self, component: Any, transport: Transport) -> None:
        until: float | None = None
        while until is None or (len(self.outbox) and time.monotonic() < until):
            component.Process(self._patience())
            if self._is_cut:
                raise LinkDown("stopped", "another node owns the domain")
            if not self._is_held:
                self._confirm(transport)
            if until is None and self._stopping.is_set():
                until = time.monotonic() + DRAIN
        transport.end()
        transport.pending_data(0)

    def _patience(self) -> float:
        """Seconds to wait for something to happen: not past the time at which a confirmation is to be asked for."""
        if self._is_held:
            return HELD
        self._resting = True  # before it looks: a writer from now on wakes it, if it should look again
        if self._confirmation or not self.outbox.unsettled:
            return DRAIN if self._stopping.is_set() else PATIENCE
        self._resting = False
        return max(0.0, self._confirmation_sent + CONFIRM_EVERY - time.monotonic())

    @property
    def _is_held(self) -> bool:
        """Whether nothing may be written for now."""
        return self._may_write is not None and not self._may_write()

    def _confirm(self, transport: Transport) -> None:
        """Send an iq to oneself, which the server routes back: after stanzas that are to be confirmed, or after a long silence.

        Raises LinkDown if nothing at all comes in although one is pending.
        """
        with transport.writing:
            now = time.monotonic()
            silence = now - transport.last_heard
            if self._confirmation:
                waited = now - self._confirmation_sent
                if min(waited, silence) > self._settings.keepalive:
                    raise LinkDown("silent", f"nothing was heard for {silence:.0f} s")
                if waited < 2 * self._settings.keepalive:  # else: it was lost, though the stream lives (ejabberd with several streams)
                    return
            elif now < self._confirmation_sent + CONFIRM_EVERY or not (self.outbox.unsettled or silence >= self._settings.keepalive):
                return
            transport.send(self._new_confirmation(now))  # it is written before this thread waits again

    def _due_confirmation(self) -> bytes:
        """The same iq for the thread that writes stanzas, if one is due; otherwise the thread of the stream sends it in time."""
        if self._confirmation or not self.outbox.unsettled:
            return b""
        now = time.monotonic()
        if now >= self._confirmation_sent + CONFIRM_EVERY:
            return self._new_confirmation(now).encode()
        if self._resting and (transport := self._transport):
            transport.wake()
        return b""

    def _new_confirmation(self, now: float) -> str:
        """An iq to oneself that confirms all that was taken out of the outbox before. Called with `writing` held."""
        self._confirmation, self._confirmation_sent, self._mark = new_id(), now, self.outbox.mark
        return serialise(make("iq", child(f"{{{PING}}}ping"), type_="get", id_=self._confirmation, from_=self.domain, to_=self.domain))

    def _received(self, stanza: Element, size: int) -> None:
        if self._confirmation and stanza.get("id") == self._confirmation and stanza.tag == "iq" and stanza.get("from") == self.domain:
            mark, self._confirmation = self._mark, ""  # in this order: from here on the next one may be written
            try:
                self.outbox.confirm(mark)
            except Exception:  # what is not noted as done goes out again after a restart, with the same id
                self._incidents.report(
                    log, "confirmation", "%s: what was sent is not noted as done", self.domain, level=logging.ERROR, trace=True
                )
            return
        self._events.received(self.domain, stanza, size)
