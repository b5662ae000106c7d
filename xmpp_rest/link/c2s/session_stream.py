"""One stream of a session after its login: stanzas in and out, their acknowledgement (XEP-0198), and whether the server is still there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.link.c2s.acknowledgements import Acknowledgements, OnConfirmed
from xmpp_rest.link.c2s.opened_stream import OpenedStream
from xmpp_rest.link.c2s.tls_stream import NEVER, TlsStream
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import PING, STREAM_MANAGEMENT
from xmpp_rest.protocol.stanza import KINDS, child, is_answer, make, new_id

ACKNOWLEDGE_EVERY = 50  # received stanzas, and sent ones that no barrier follows (accounts-anywhere §5.7)
ASK_AFTER = 1.0  # seconds after which the server is asked what it has, though there are fewer
_ASK = f"<r xmlns='{STREAM_MANAGEMENT}'/>".encode()
_ASKED, _ANSWER = f"{{{STREAM_MANAGEMENT}}}r", f"{{{STREAM_MANAGEMENT}}}a"
_CLOSE = b"</stream:stream>"
_UNAVAILABLE = b"<presence type='unavailable'/>"


class StreamOwner(Protocol):
    """The session that a stream belongs to. What these raise ends nothing but the session's stream."""

    account: JID
    jid: JID

    def deliver(self, stanza: Element, size: int) -> None:
        """Called with a stanza that is not the answer to a barrier."""

    def skipped(self, head: Element, why: str) -> None:
        """Called with the head of a stanza that is beyond a bound, which was skipped."""

    def tell(self, done: Sequence[OnConfirmed]) -> None:
        """Called with those to be told that what they sent is processed."""

    def call(self, act: Callable[[], object]) -> object:
        """Called with something that must not end the stream, whatever it raises."""


def ping_to(account: JID, identifier: str) -> bytes:
    """The iq that the account's own server answers once it has processed what came before it (accounts-anywhere §7.1)."""
    return serialise(make("iq", child(f"{{{PING}}}ping"), type_="get", id_=identifier, to_=str(account))).encode()


class SessionStream:
    """Belongs to the sessions' thread."""

    def __init__(self, opened: OpenedStream, owner: StreamOwner, queue: Acknowledgements, settings: SessionsSettings, handled: int) -> None:
        """`handled`: stanzas that were received on the stream that this one resumes."""
        self.handled = handled
        self._owner = owner
        self._queue = queue
        self._keepalive = settings.keepalive
        self._tls = TlsStream(opened, self._received, self._skipped, settings.stanza_size_limit)
        self.socket = opened.socket
        self._counts = opened.management is not None
        self._patience = max(settings.idle, 2 * settings.keepalive)
        self._said = handled  # how many the server was told
        self._owes = False  # it has asked, and is told once it takes what is written
        self._heard = time.monotonic()
        self._asked: float | None = None  # since when an answer is due, and nothing was heard
        self._ask_at = NEVER  # when the server is to be asked what it has
        self._asking: float | None = None  # since when it is asked, and has not said
        self._probe = ""  # id of a ping
        self._ends: bytes | None = None  # what comes behind all that waits
        self._ends_now = False  # whatever is not confirmed
        self._tls.prepare(settings.keepalive)

    @property
    def said(self) -> int:
        """Of the stanzas that were received, how many the server knows to be here: it repeats none of them."""
        return self._said

    @property
    def has_more(self) -> bool:
        """Whether it is to be read though the selector may know of nothing."""
        return self._tls.has_more

    def events(self, reading: bool) -> int:
        """What the selector is to look for."""
        return self._tls.events(reading)

    def read(self) -> None:
        """Take what has come. Raises LinkDown."""
        if self._tls.read():
            self._heard, self._asked = time.monotonic(), None

    def flush(self) -> None:
        """Write what waits, as far as the system takes it. Raises LinkDown."""
        while True:
            self._tls.flush()
            if not self._tls.is_idle:
                return
            if self._owes:
                self._say()
                continue
            if not (burst := self._queue.take()):
                break
            written = [stanza.on_written for stanza in burst if stanza.on_written is not None]
            self._tls.write(b"".join([stanza.data for stanza in burst]), [partial(self._owner.call, act) for act in written])
            self._note_asking(any(stanza.barrier is not None for stanza in burst))
        if self._ends is not None and (self._ends_now or not self._queue.asks):
            self._tls.write(self._ends)
            self._ends = None
            self._tls.flush()

    def _note_asking(self, asks: bool) -> None:
        now = time.monotonic()
        if asks:
            self._asked = self._asked or now
        if self._counts and self._asking is None and (count := self._queue.unacknowledged):
            if count >= ACKNOWLEDGE_EVERY:
                self._ask(now)
            else:
                self._ask_at = min(self._ask_at, now + ASK_AFTER)

    def _ask(self, now: float) -> None:
        """Have the server say what it has (XEP-0198 §4)."""
        self._asking, self._ask_at, self._asked = self._asking or now, NEVER, self._asked or now
        self._tls.write(_ASK)

    def end(self, unavailable: bool) -> None:
        """Close the stream behind all that waits, once that is confirmed (RFC 6120 §4.4).

        COMPAT ejabberd: it forgets the answers that it has not written when the stream is closed.
        """
        self._ends = _UNAVAILABLE + _CLOSE if unavailable else _CLOSE

    def end_now(self) -> None:
        """Wait for no confirmation any more. Raises LinkDown."""
        self._ends_now = True
        self.flush()

    def due(self) -> float:
        """When `check` is to be called, at the latest."""
        return min(self._ask_at, self._tls.rests_at, (self._heard if self._asked is None else self._asked) + self._keepalive)

    def check(self, now: float, reading: bool) -> None:
        """Ask what is to be asked by now, and write. Raises LinkDown if the server has not answered for too long."""
        self._tls.rest(now)
        if now >= self._ask_at:
            self._ask_at = NEVER
            if self._queue.unacknowledged:
                self._ask(now)
        if not reading:
            self._heard, self._asked = now, None
            self.flush()
            return
        self._require_answers(now)
        if self._asked is not None:
            if now - self._asked >= self._keepalive:
                raise LinkDown("silent", f"nothing was heard for {now - self._heard:.0f} s")
        elif now - self._heard >= self._keepalive:
            self._try(now)
        self.flush()

    def _require_answers(self, now: float) -> None:
        """Give up a server that says something from time to time, but never what it was asked for. Raises LinkDown."""
        since = min((since for since in (self._asking, self._queue.asks_since) if since is not None), default=now)
        if now - since > self._patience:
            raise LinkDown("unanswered", f"the server has not said for {now - since:.0f} s what it was asked")

    def _try(self, now: float) -> None:
        """Have the server say anything."""
        if self._counts:
            self._ask(now)
        else:
            self._probe, self._asked = new_id(), now
            self._tls.write(ping_to(self._owner.account, self._probe))

    def close(self) -> None:
        self._tls.close()

    # what the parser finds

    def _received(self, stanza: Element, size: int) -> None:
        if stanza.tag in KINDS:
            if not self._is_answer(stanza):
                self._owner.deliver(stanza, size)
            self._count()
        elif stanza.tag == _ASKED and self._counts:
            self._say()
        elif stanza.tag == _ANSWER:
            self._acknowledged(stanza.get("h", ""))

    def _skipped(self, head: Element, why: str) -> None:
        self._owner.skipped(head, why)
        if head.tag in KINDS:
            self._count()

    def _count(self) -> None:
        self.handled += 1
        if self._counts and self.handled - self._said >= ACKNOWLEDGE_EVERY:
            self._say()

    def _say(self) -> None:
        """Tell how many stanzas were received; once for all questions of a server that does not read the answers."""
        self._owes = not self._tls.is_idle
        if self._owes:
            return
        self._said = self.handled
        self._tls.write(f"<a xmlns='{STREAM_MANAGEMENT}' h='{self.handled % (1 << 32)}'/>".encode())

    def _acknowledged(self, text: str) -> None:
        self._asking = None
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and self._queue.acknowledged(int(text))):
            raise LinkDown("bad-count", "the server acknowledges more than was sent")
        if self._queue.unacknowledged:
            self._ask_at = min(self._ask_at, time.monotonic() + ASK_AFTER)

    def _is_answer(self, stanza: Element) -> bool:
        """Whether this answers a barrier, or a ping by which the server was tried."""
        if not is_answer(stanza) or not self._is_from_server(stanza):
            return False
        identifier = stanza.get("id", "")
        if identifier == self._probe and identifier:
            self._probe = ""
            return True
        done = self._queue.answered(identifier)
        if done is None:
            return False
        self._owner.tell(done)
        return True

    def _is_from_server(self, stanza: Element) -> bool:
        """Whether the account's own server says this: nobody else may confirm anything."""
        if "from" not in stanza.attrib:
            return True
        sender, account = jid_or_none(stanza.get("from")), self._owner.account
        return sender in (account, self._owner.jid, JID("", account.domain, ""))
