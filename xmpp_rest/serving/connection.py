"""One client's connection: gathers requests, begins to serve them, one at a time, and sends what is answered.

Nothing here waits, and a connection holds no thread. All is done on the thread that leads the loop, except `write`.
"""

from __future__ import annotations

import select
import time
from typing import Any

from xmpp_rest.serving.client_socket import ClientSocket
from xmpp_rest.serving.connection_host import ConnectionHost
from xmpp_rest.serving.output import Output
from xmpp_rest.serving.phase import COMING, Phase
from xmpp_rest.serving.request import BadRequest, Request
from xmpp_rest.serving.served import Served
from xmpp_rest.serving.unserved import FREE

HEAD_SECONDS = 15.0  # for a head, from its first byte; and for the first byte of a connection
BODY_SECONDS = 30.0  # for a body; each BODY_RATE bytes that come give one back
BODY_RATE = 1000  # bytes a second that a client should manage
WRITE_SECONDS = 30.0  # for the client to take anything of what is sent
LINGER_SECONDS = 2.0  # for a client to take the end of the last answer, and to end what it sends (RFC 9112 §9.6)
LINGER_LONGEST = 30.0  # the same for one that goes on sending, as it looks for an answer only after the end of its body
DRAIN_SECONDS, DRAIN_BYTES = 5.0, 16 << 20  # for a body that nobody read; then the connection ends
ROOM = 256 << 10  # bytes of a body that wait for the application at most, and of an answer for the client
TURN = 0.0002  # seconds of reading from one connection before others have theirs; 64 KiB in small chunks take 5 ms

GONE = select.EPOLLHUP | select.EPOLLERR
COMES = select.EPOLLIN | select.EPOLLRDHUP


class Connection:
    """One client. `peer` and `address`: of the client, and where it has connected to."""

    def __init__(self, service: ConnectionHost[Connection], sock: ClientSocket, peer: Any, address: Any) -> None:
        self.peer = peer
        self.address = address
        self.base: dict[str, Any] = {}
        """What the environs of all its requests have in common."""
        self.due: float | None = None  # for the wheel
        self.slot = 0  # for the wheel
        self.left = False
        """Whether the client has closed its side, or is gone."""
        self.patience = WRITE_SECONDS
        """Seconds for the client to take anything of what it is sent."""
        self._service = service
        self._socket = sock
        self._reader = service.reader(peer, self._more)
        self._refused: BadRequest | None = None
        self._phase = Phase.IDLE
        self._exchange: Served | None = None
        self._unread: Request | None = None  # served, but not all of its body has come
        self._drained = 0
        self._idle_since = time.monotonic()
        self._readable = True
        self._lingers_until = 0.0  # monotonic time
        self._has_turn = False  # whether it goes on soon, after the others
        self._ended = False  # nothing more comes
        self._lasts = True  # whether another request may follow
        self._output = Output(sock)

    @property
    def pending(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self._output.pending

    def open(self) -> None:
        """Begin to listen to it. Raises OSError."""
        self._service.loop.register(self._socket.sock, self.handle)
        self._wait(HEAD_SECONDS)

    def close_if_idle(self, seconds: float, *, fresh: bool) -> None:
        """Close it if it has waited for a request for so long, and none has come. `fresh`: also if it is to be the first one."""
        if self._phase is not Phase.IDLE or self.pending or not (fresh or self.base) or time.monotonic() - self._idle_since < seconds:
            return
        if self._read():  # it crossed the end of the connection
            self.proceed()
        else:
            self.close()

    # events

    def handle(self, events: int) -> None:
        """Take what epoll tells."""
        if events & GONE:
            self._gone()
            return
        if self._socket.crossed:
            self._socket.crossed = False
            events |= select.EPOLLIN | select.EPOLLOUT
        if self.pending and events & select.EPOLLOUT:
            self._flush()
        if events & COMES:
            self._readable = True
            if events & select.EPOLLRDHUP and not self.left:
                self.left = True
                if self._exchange is not None:
                    self._exchange.client_left()
            if self._phase is Phase.IDLE:
                self.proceed()
            else:
                self._put_off()

    def _put_off(self) -> None:
        """Go on after those that begin: who sends without end, or in pieces, has the time that they leave."""
        if not self._has_turn:
            self._has_turn = True
            self._service.loop.put_off(self._go_on)

    def _go_on(self) -> None:
        self._has_turn = False
        self.proceed()

    def overdue(self) -> None:
        """The deadline of this phase has passed."""
        exchange = self._exchange
        if self._phase is Phase.SERVED and exchange is not None and not exchange.request.body.over:
            if not exchange.wants_body and self._has_come(exchange):  # it is the application that has not read on
                return
            exchange.request.body.fail()
            exchange.body_came()
            self._watch_output()  # from now on the deadline is that of the answer
            return
        waiting = self._phase
        if waiting in COMING and self._read():  # it may have come while the loop could not look
            self.proceed()
        if waiting is Phase.DRAIN:
            self._linger()  # it has its answer
        elif self._phase is waiting and waiting is not Phase.CLOSED:
            self._gone()

    def _has_come(self, exchange: Served) -> bool:
        """Whether as much of the body waits as may, or more of it has come than was read while as much did: then there is time again."""
        body = exchange.request.body
        before = body.received
        self._wait(BODY_SECONDS)
        if body.buffered < ROOM:
            self.proceed()
        return body.over or body.buffered >= ROOM or body.received > before

    def proceed(self) -> None:
        """Read what has come, as far as it is wanted, and begin what can begin."""
        until = time.monotonic() + TURN
        while True:
            if self._phase is Phase.CLOSED or self._phase is Phase.FLUSH:
                return
            if self._exchange is not None:
                if not self._wants_body(self._exchange):
                    return
            elif self._lasts and self._unread is None and self._begin():
                return
            if self._ended or not self._readable:
                self._rest()
                return
            if time.monotonic() > until:
                self._put_off()
                return
            self._read()

    def _wants_body(self, exchange: Served) -> bool:
        body = exchange.request.body
        return not body.over and (exchange.wants_body or body.buffered < ROOM)

    # requests

    def _read(self) -> bool:
        """Read once; whether anything came."""
        try:
            data = self._socket.receive()
        except OSError:
            self._gone()
            return False
        if data is None:
            self._readable = False
        elif not data:
            self._end()
        else:
            self._readable = self.left or not self._socket.drained(data)  # the end, which is told of once, is to be read as well
            if self._phase is Phase.LINGER:
                self._wait(min(LINGER_SECONDS, max(0.0, self._lingers_until - time.monotonic())))
            else:
                self._feed(data)
        return bool(data)

    def _feed(self, data: bytes) -> None:
        if self._refused is not None:
            return
        try:
            self._reader.feed(data)
        except BadRequest as e:
            self._refused = e
        if self._exchange is not None:
            self._extend(len(data))
            body = self._exchange.request.body
            if body.over:
                self.due = None
                self._watch_output()
            self._exchange.body_came()
        elif self._unread is not None:
            self._drained += len(data)
            if self._unread.body.failed or self._drained > DRAIN_BYTES:
                self._linger()
            elif self._unread.body.complete:
                self._unread = None
                self._phase, self.due = Phase.IDLE, None
        else:
            if self._phase is Phase.BODY:
                self._extend(len(data))
            self._bound_unserved()

    def _bound_unserved(self) -> None:
        if (size := self._reader.unfinished) <= FREE:
            return
        try:
            self._service.unserved.note(self, size)
        except BadRequest as e:
            self._reader.give_up()
            self._refused = e

    def _extend(self, size: int) -> None:
        """So many bytes of a body have come in time: it has more, but never more than at its beginning."""
        if self.due is not None:
            self.due = min(self.due + size / BODY_RATE, time.monotonic() + BODY_SECONDS)

    def _end(self) -> None:
        """The client sends nothing more. What it has asked for completely is answered."""
        self._ended = self.left = True
        self._readable = False
        for request in self._reader.requests:
            request.body.fail()  # unless it is complete: then that says nothing
        if self._exchange is not None:
            self._exchange.request.body.fail()
            self._exchange.body_came()
            self._exchange.client_left()

    def _begin(self) -> bool:
        """Begin to serve the next request, or to refuse what is none; False: there is nothing to begin."""
        requests = self._reader.requests
        if not requests and self._reader.holds_back:
            self._feed(b"")
        if requests and requests[0].is_servable:
            request = requests.popleft()
            self._service.unserved.forget(self)
            self._phase = Phase.SERVED
            if request.body.over:
                self.due = None
            else:
                self._wait(BODY_SECONDS)
            self._exchange = exchange = self._service.exchange(self, request)
            self._service.loop.begin(exchange.perform)
            return True
        if requests or self._refused is None:
            return False  # what was complete before it is answered first
        self._lasts = False
        self.write(self._service.refusal(self, self._refused))
        self._finish()
        return True

    def _rest(self) -> None:
        """Nothing more has come for now: set the deadline for what is waited for."""
        if self._phase in (Phase.SERVED, Phase.DRAIN, Phase.LINGER):
            if self._ended and self._phase is not Phase.SERVED:
                self.close()
        elif self._ended:
            self.close()
        elif self._reader.requests:
            self._enter(Phase.BODY, BODY_SECONDS)
        elif self._reader.head_begun:
            self._enter(Phase.HEAD, HEAD_SECONDS)
        elif self.due is None or self._phase is not Phase.IDLE:
            self._be_idle()

    def _be_idle(self) -> None:
        """Wait for the next request; and for the client to take the answer, which may last longer."""
        self._phase = Phase.IDLE
        self._idle_since = time.monotonic()
        self._wait(max(self._service.keep_alive, self.patience) if self.pending else self._service.keep_alive)

    def _enter(self, phase: Phase, seconds: float) -> None:
        if self._phase is not phase:
            self._phase = phase
            self._wait(seconds)

    def done(self) -> None:
        """The answer is complete, as far as the application is concerned."""
        exchange, self._exchange = self._exchange, None
        if exchange is None or self._phase is Phase.CLOSED:
            return
        lasts = exchange.keeps_alive and not self._output.broken and not self._ended and not exchange.request.body.failed
        if lasts and not exchange.request.body.complete:
            exchange.request.body.discard()
            self._unread, self._drained = exchange.request, 0
            self._phase = Phase.DRAIN
            self._wait(DRAIN_SECONDS)
        elif lasts:
            self._phase, self.due = Phase.IDLE, None
        else:
            self._lasts = False
            if self._output.broken:
                self.close()
            else:
                self._finish(at_once=exchange.request.body.complete and not exchange.request.head.keeps_alive)
            return
        self.proceed()

    def _more(self) -> None:
        if self._exchange is not None:
            self._exchange.more()

    # the end

    def _finish(self, *, at_once: bool = False) -> None:
        """End it once the last answer is sent. `at_once`: the client sends nothing more, so that nothing can cut the answer off."""
        if self.pending:
            self._phase = Phase.FLUSH
            self._wait(self.patience)
        elif at_once or self._ended:
            self.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Read what the client still sends, so that the kernel does not cut off the end of the answer with a reset."""
        self._phase = Phase.LINGER
        self._unread = None
        self._lasts = False
        self._lingers_until = time.monotonic() + LINGER_LONGEST
        self._wait(LINGER_SECONDS)
        try:
            self._socket.finish()
        except OSError:
            self.close()
            return
        self._service.loop.call(self.proceed)

    def _gone(self) -> None:
        """Nothing more can be read or sent."""
        self.left = self._ended = True
        self._readable = False
        self._output.drop()  # before the answer's task is told: it waits as long as too much is pending
        if self._exchange is None:
            self.close()
            return
        self._exchange.request.body.fail()  # unless it is complete
        self._exchange.body_came()
        self._exchange.room_came()
        self._exchange.client_left()

    def close(self) -> None:
        """End it now."""
        if self._phase is Phase.CLOSED:
            return
        self._phase = Phase.CLOSED
        self._output.farewell()
        self._output.drop()
        self.due = None
        self._service.unserved.forget(self)
        self._service.wheel.remove(self)
        self._service.loop.close(self._socket.sock)
        self._service.closed(self)

    def _wait(self, seconds: float) -> None:
        self._service.wheel.set(self, time.monotonic() + seconds)

    # output

    def write(self, data: bytes) -> bool:
        """Send this, without waiting; False: the client is gone. Called by any thread."""
        taken = self._output.write(data)
        if self._output.pending:
            self._service.loop.call(self._watch_output)
        return taken

    def _watch_output(self) -> None:
        if self.pending:
            if self.due is None:
                self._wait(self.patience)
            self._flush()  # epoll may have told of room before the other thread had noted that something is pending

    def _flush(self) -> None:
        """The kernel may take more."""
        progress = self._output.flush()
        if self._output.broken:
            self._gone()
        elif self._phase is Phase.FLUSH and not self.pending:
            self._finish(at_once=self._ended)
        else:
            self._flushed(progress)

    def _flushed(self, progress: bool) -> None:
        exchange = self._exchange
        if self.pending and progress:
            self._wait(self.patience)
        elif not self.pending and self._phase is Phase.IDLE:
            self._be_idle()
        elif not self.pending and self._phase is Phase.SERVED and exchange is not None and exchange.request.body.over:
            self.due = None
        if exchange is not None and self.pending < ROOM:
            exchange.room_came()
