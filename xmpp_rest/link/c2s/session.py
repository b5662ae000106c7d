"""A session: the gateway's login as an account of another server, which is kept for a while."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.account_streams import session_lost
from xmpp_rest.link.c2s.acknowledgements import OnConfirmed
from xmpp_rest.link.c2s.left_session import LeftSession
from xmpp_rest.link.c2s.opened_stream import OpenedStream
from xmpp_rest.link.c2s.reconnecting import Reconnecting
from xmpp_rest.link.c2s.resuming import ENDS
from xmpp_rest.link.c2s.session_keeper import SessionKeeper
from xmpp_rest.link.c2s.session_outbox import SessionOutbox
from xmpp_rest.link.c2s.session_stream import SessionStream
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import KINDS, is_request, refusal

log = logging.getLogger("xmpp_rest.link")

CONFIRMS_WITHIN = 1.0  # seconds that a server has, at an end, for confirming what was sent
CLOSES_WITHIN = 1.0  # seconds that it has then for closing its side
LEFT = "left"  # another process goes on with it
OnSessionLeft = Callable[[LeftSession | None], object]
"""Gets what another process goes on with; None: it cannot, and the session is as it was. Called once, on the sessions' thread."""


class SessionEvents(Protocol):
    """What the owner of sessions is told. Called on the sessions' thread, which serves all sessions: each of these must be quick."""

    def received(self, session: ClientSession, stanza: Element, size: int) -> None:
        """Called with a stanza that its server sent, and its size in bytes; answers to barriers are not among them."""

    def is_worth_resuming(self, session: ClientSession) -> bool:
        """Whether a broken session is to be resumed for more than the stanzas that wait in it: event streams, a presence of its own."""

    def broke(self, session: ClientSession) -> None:
        """The connection broke. `resumed`, `rebound` or `ended` follows."""

    def resumed(self, session: ClientSession) -> None:
        """The session goes on as if nothing had happened."""

    def rebound(self, session: ClientSession) -> None:
        """The session goes on, but for its server it is a new one: presence, carbons and rooms are to be repeated.

        What is written during this call goes before all that waits. iqs and presences that were given to `write` before are dropped,
        so no answer to one of these iqs will come any more.
        """

    def ended(self, session: ClientSession, reason: str) -> None:
        """The session is over; called once, as the last. `reason`: what `end` was given, or one of `resuming.ENDS`."""


class ClientSession:
    """One login. `write`, `confirm`, `hold`, `end` and the attributes are for any thread, all else for the one of the sessions."""

    def __init__(
        self, begun: OpenedStream | LeftSession, account: JID, login: LoginSettings, events: SessionEvents, keeper: SessionKeeper
    ) -> None:
        """`begun`: a stream, which is this session's from now on, or what another process has left: then `connect` is to be called."""
        self.account = account
        """Bare."""
        self.login = login
        self.since = begun.since if isinstance(begun, LeftSession) else time.time()
        """Unix time of the login."""
        self.jid = begun.jid
        """Full, as the server has given it."""
        self.number = keeper.next_number()
        """Of the stream, above 0: another one for each `bind`, the same after a resume."""
        self.server = begun.server
        """Address and port, as 192.0.2.7:5223."""
        self.tls = begun.tls
        """The version, as TLSv1.3."""
        self._events = events
        self._keeper = keeper
        self._outbox = SessionOutbox(account, keeper, begun.management is not None)
        if isinstance(begun, LeftSession):
            self._outbox.queue.go_on(begun.queue)
        self._reconnecting = Reconnecting(self, keeper, begun)
        self._stream: SessionStream | None = None
        self._holds = False
        self._reason = ""  # why it ends, or has ended
        self._unavailable = False
        self._ended = False
        self._is_told = False  # whether others know that it ends
        self._lock = threading.Lock()  # of `_reason`

    def __repr__(self) -> str:
        return f"<session of {self.jid}>"

    # for any thread

    @property
    def is_up(self) -> bool:
        """Whether what is written goes out at once; if not, it waits for the resume, or the session has ended."""
        return self._stream is not None and not self._reason

    @property
    def has_ended(self) -> bool:
        """Whether nothing is taken any more."""
        return bool(self._reason)

    @property
    def waiting(self) -> int:
        """Stanzas that are queued, or not known to have arrived."""
        return len(self._outbox.queue)

    @property
    def is_confirmed(self) -> bool:
        """Whether nothing is queued, and nothing waits for its confirmation."""
        return self._outbox.queue.is_confirmed

    @property
    def received(self) -> int:
        """Stanzas of the server that were received on the stream, before the one that is being delivered; on the sessions' thread."""
        return 0 if self._stream is None else self._stream.handled

    @property
    def resumable(self) -> bool:
        """Whether the session may go on after a break: there are keys to log in with."""
        return self._reconnecting.possible

    @property
    def idle(self) -> float:
        """Seconds since something was written, or was waiting for the server."""
        return self._outbox.idle

    def write(self, stanza: Element) -> None:
        """Queue a stanza; its `from` is removed, as the server puts it in. Nobody is told that it arrived.

        Raises BadXML and GatewayError: session-lost, outbox-share, stanza-too-big.
        """
        self._outbox.put(stanza)
        self._keeper.wants_service(self)

    def confirm(self, stanzas: Sequence[Element], done: OnConfirmed, on_written: Callable[[], object] | None = None) -> None:
        """Queue these and a barrier behind them, all or none. `on_written` is called each time that the system has taken the last of them.

        `done` is called once: with None when the barrier was answered, so that the server has processed them, or with GatewayError,
        session-lost. Raises as `write`.
        """
        self._outbox.put_confirmed(stanzas, done, on_written)
        self._keeper.wants_service(self)

    def hold(self, holds: bool) -> None:
        """Read nothing more for now, so that the server has to wait; or read on."""
        self._holds = holds
        self._keeper.wants_service(self)

    def end(self, reason: str, *, unavailable: bool) -> None:
        """End the session (accounts-anywhere §5.6): what waits is written, `unavailable` if it is to be said, and it closes."""
        with self._lock:
            if self._reason:
                return
            self._reason, self._unavailable = reason, unavailable
        self._outbox.queue.close()
        self._keeper.call(lambda: self.guarded(self._close))

    def leave(self, then: OnSessionLeft) -> None:
        """Stand still, so that another process can go on with it (many-machines §9): nothing is read or written. `let_go` follows."""
        self._keeper.call(lambda: self._leave(then))

    def let_go(self, reason: str = "") -> None:
        """End what `leave` has left; `reason`: why no other process goes on with it, so that it ends as any other.

        Without one the connection is cut without closing the stream, and nobody is told that the session ends here, but those who wait for
        a confirmation: it is lost.
        """
        self._keeper.call(lambda: self.guarded(lambda: self._let_go(reason)))

    def connect(self, handled: int) -> None:
        """Go on with what another process has left, after so many stanzas of the server."""
        self._keeper.call(lambda: self.guarded(lambda: self._reconnecting.go_on(handled)))

    # for the thread

    @property
    def reads(self) -> bool:
        """Whether it takes what the server sends."""
        return not self._holds

    def begin(self, opened: OpenedStream) -> None:
        """Take the first stream; what was written before waits for it."""
        self.guarded(lambda: self._attach(opened, 0, lambda: None))

    def serve(self, readable: bool) -> None:
        """Read if there may be something, write what waits, and look what is due. Raises nothing."""
        self.guarded(lambda: self._serve(readable))

    def _serve(self, readable: bool) -> None:
        if (stream := self._stream) is None or self._reason == LEFT:
            return
        if readable and not self._holds:
            stream.read()
        stream.check(time.monotonic(), self.reads)

    def guarded(self, act: Callable[[], object]) -> None:
        """Do this; what goes wrong breaks this session's stream, and nothing else."""
        try:
            act()
        except LinkDown as down:
            self._broke(down)
        except Exception as e:
            self.report("the stream failed unexpectedly")
            self._broke(LinkDown("internal-error", type(e).__name__))

    def report(self, what: str) -> None:
        """Log the exception at hand."""
        self._keeper.incidents.report(log, "session", "%s: %s", self.account, what, level=logging.ERROR, trace=True)

    def _attach(self, opened: OpenedStream, handled: int, tell: Callable[[], object]) -> None:
        """Go on with this stream; `tell` is called before anything is written on it."""
        try:
            self._stream = stream = SessionStream(opened, self, self._outbox.queue, self._keeper.settings, handled)
        except OSError as e:
            opened.socket.close()
            raise LinkDown("disconnected", str(e)) from e
        self._reconnecting.opened()
        self._keeper.watch(self, stream)
        tell()
        for stanza in opened.early:
            self.deliver(stanza, 0)
        self._serve(stream.has_more)

    def _broke(self, down: LinkDown) -> None:
        """The stream has ended."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._keeper.forget(self)
            stream.close()
        if self._ended:
            return
        if self._reason:
            self.finish(self._reason)
            return
        self.call(partial(self._events.broke, self))
        self._reconnecting.broke(down, None if stream is None else stream.handled)

    def is_worth_resuming(self) -> bool:
        """Whether it is to go on though no stanza waits."""
        return bool(self.call(partial(self._events.is_worth_resuming, self)))

    def go_on(self, opened: OpenedStream, handled: int) -> bool:
        """A connection is there again, on which so many stanzas were received before; whether its counts are possible."""
        if opened.resumed:
            if not self._outbox.queue.resumed(opened.acknowledged):
                return False
            tell: Callable[[], object] = partial(self.call, partial(self._events.resumed, self))
        else:
            self.jid, self.number = opened.jid, self._keeper.next_number()
            counts, rebound = opened.management is not None, partial(self.call, partial(self._events.rebound, self))
            tell = partial(self._outbox.repeat, rebound, counts)
        self.server, self.tls = opened.server, opened.tls
        log.debug("the session of %s is %s", self.jid, "resumed" if opened.resumed else "bound again")
        self._attach(opened, handled, tell)
        return True

    def _leave(self, then: OnSessionLeft) -> None:
        keys, management = self._reconnecting.keys, self._reconnecting.management
        with self._lock:
            can = keys is not None and not self._reason
            self._reason = LEFT if can else self._reason
        if keys is None or not can:
            self.call(partial(then, None))
            return
        self._outbox.queue.close()
        self._reconnecting.leave(goes_on=True)
        if self._stream is not None:
            self._keeper.forget(self)
            handled, said = self._stream.handled, self._stream.said
        else:  # an attempt to resume it may have told its server of all
            handled = said = self._reconnecting.handled
        queue = self._outbox.queue.left()
        if queue.lost:
            log.warning("%s: %d stanzas that its server may not have are not handed over: too many wait", self.account, queue.lost)
        self.call(partial(then, LeftSession(self.jid, keys, self.server, self.tls, management, self.since, handled, said, queue)))

    def _let_go(self, reason: str) -> None:
        if self._reason != LEFT or self._ended:  # it could not be left
            return
        if not reason:
            self._cut()
            return
        with self._lock:
            self._reason, self._unavailable = reason, True
        self._reconnecting.leave(goes_on=False)
        if self._stream is not None:
            self._keeper.watch(self, self._stream)
        self._close()

    def _cut(self) -> None:
        management, stream = self._reconnecting.management, self._stream
        self._ended = self._is_told = True
        self._stream = None
        if stream is not None:
            if management is None or not management.id:  # nothing can be resumed: its server is not to wait for that
                with contextlib.suppress(LinkDown):
                    stream.end(False)
                    stream.end_now()
            stream.close()
        self._keeper.over(self)
        for done in self._outbox.queue.lose():
            self.call(partial(done, session_lost(self.account)))

    def _close(self) -> None:
        """End politely, which may take a while: others hear of it before, as the account may have another session by then."""
        self._tell_ended()
        if self._stream is None:
            self.finish(self._reason)
            return
        self._stream.end(self._unavailable)
        self._stream.flush()
        self._keeper.after(CONFIRMS_WITHIN, lambda: self.guarded(self._close_now))

    def _close_now(self) -> None:
        if self._stream is not None:
            self._keeper.after(CLOSES_WITHIN, lambda: self.finish(self._reason))
            self._stream.end_now()

    def finish(self, reason: str, down: LinkDown | None = None) -> None:
        """The end."""
        if self._ended:
            return
        with self._lock:
            self._reason = self._reason or reason
        self._ended = True
        stream, self._stream = self._stream, None
        if stream is not None:
            self._keeper.forget(self)
            stream.close()
        log.debug("the session of %s has ended: %s", self.jid, down or ENDS.get(self._reason, self._reason))
        self._keeper.over(self)
        for done in self._outbox.queue.lose():
            self.call(partial(done, session_lost(self.account)))
        self._tell_ended()

    def _tell_ended(self) -> None:
        if not self._is_told:
            self._is_told = True
            self.call(partial(self._events.ended, self, self._reason))

    # for the stream

    def deliver(self, stanza: Element, size: int) -> None:
        """A stanza came. Of a session that ends only what tells that something sent was refused: nobody else counts on it any more."""
        if not self._is_told or (stanza.get("type") == "error" and stanza.tag != "iq"):
            self.call(lambda: self._events.received(self, stanza, size))

    def skipped(self, head: Element, why: str) -> None:
        """A stanza came that is beyond a bound; who asked something is told, and that something was refused is known by the head."""
        self._keeper.incidents.report(log, "stanza-skipped", "%s: a stanza from its server was skipped: %s", self.account, why)
        if is_request(head):
            with contextlib.suppress(GatewayError):  # it has ended, or more waits to be written than may
                self.write(refusal(head, stanza_error("policy-violation")))
        elif head.tag in KINDS and head.get("type") == "error":
            self.deliver(head, 0)

    def tell(self, done: Sequence[OnConfirmed]) -> None:
        """What was sent is processed."""
        self._outbox.touch()
        for each in done:
            self.call(partial(each, None))

    def call(self, act: Callable[[], object]) -> object:
        """What this returns, whatever it raises."""
        try:
            return act()
        except Exception:  # its author's mistake costs neither this session nor others anything
            self.report("what happened was not noticed")
            return None
