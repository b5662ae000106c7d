"""The event loop: epoll, and the tasks that serve requests, on one thread at a time.

One thread leads: it waits for events, handles them, and runs the tasks that they begin. A task that blocks its thread (for longer than
TURN, or it says so itself) loses the lead to another thread, and keeps what was parked on its own. Descriptors are edge-triggered, so that
nothing has to be told to the kernel for each request.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from xmpp_rest.serving.loop_thread import LoopThread
from xmpp_rest.threads.attention import Attention
from xmpp_rest.threads.daemon_pool import DaemonPool

log = logging.getLogger("xmpp_rest.server")

TURN = 0.005  # seconds that a task may run before another thread takes the lead
BURST = 128  # events that are asked for at once
CYCLES = 8  # before others are looked for: what is done may lead to more without end
PUT_OFF = 16  # of the calls that were put off, those of one cycle
LOOK = 0.005  # seconds of tasks, or of more than one cycle, after which others are looked for
LONGEST = 1.0  # seconds of one wait for events
MOST_FAILURES = 100  # in a row; after each further one comes a pause
PAUSE = 0.05  # seconds
ENDING = 0.5  # seconds for the threads to end
READ = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
"""What a connection is told of, each time that it changes."""
COMES = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""What an attached socket is told of."""

Handler = Callable[[int], None]
"""Gets the events of a descriptor."""
Call = Callable[[], None]


_CALL, _BEGIN, _READY = range(3)  # call it; begin it as a task; go on with a task that is ready


def _nothing() -> None:
    pass


class Loop:
    """Handles events and runs tasks until `stop`. `threads`: most that lead in turn, as others block, and as many for offloaded work."""

    def __init__(self, threads: int) -> None:
        self._most = max(2, threads)
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._cycle: deque[tuple[int, Call]] = deque()  # what is done before anything that comes meanwhile
        self._cycles = 0  # since the last look for events
        self._looked = time.monotonic()  # when that was
        self._went_on = False  # whether a task has gone on since then
        self._calls: deque[Call] = deque()
        self._later: deque[Call] = deque()
        self._begins: deque[Call] = deque()
        self._end: deque[Call] = deque()
        self._closing: list[socket.socket] = []  # closed when no event of theirs is left: their numbers are used again
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wakeup, select.EPOLLIN | select.EPOLLET)  # each write is an event, and nobody reads
        self._polling = False
        self._turn = 0  # counts what the leader has begun
        self._lock = threading.Lock()  # guards who leads
        self._threads: list[LoopThread] = []
        self._ticks: list[Call] = []
        self._attached: dict[socket.socket, Call] = {}  # what is called when it is watched no longer
        self._ticked = time.monotonic()
        self._pool = DaemonPool(self._most, "offloaded")
        self._unwatched = False  # whether the watchdog waits for something to watch
        self._attention = Attention()
        self._seen = 0  # the turn when somebody last looked whether the loop lives
        self.lag = 0.0
        """Seconds that the latest round has taken: those between two looks for events, without what was waited for them."""
        self.stopped = False
        self.leader: LoopThread | None = None
        """The thread that leads."""

    # for the owner

    def start(self) -> None:
        """Begin to serve, on a thread of its own. Raises RuntimeError: there is none."""
        self.leader = LoopThread(self)
        self._threads.append(self.leader)
        self.leader.start()

    def stop(self) -> bool:
        """End; whether no thread is left in a task that blocks. Tasks that are parked do not go on."""
        self.stopped = True
        self.wake()
        for thread in tuple(self._threads):
            thread.wake()
        self._attention.call()
        self._pool.stop()
        until = time.monotonic() + ENDING
        ended = [thread.ended(until) for thread in tuple(self._threads)]
        for sock in tuple(self._attached):
            self._let_go(sock)
        return all(ended)

    def attend(self) -> None:
        """End `watch` early. May be called by a signal handler."""
        self._attention.call()

    def lives(self) -> bool:
        """Whether the loop waits for events, or has gone on since this was last asked. If not, all its threads are in tasks that block,
        or it hangs: nobody is served.
        """
        seen, self._seen = self._seen, self._turn
        return self._polling or seen != self._turn

    def watch(self, seconds: float) -> None:
        """For so many seconds, see to it that no task keeps the lead for longer than TURN. The owner calls this again and again."""
        until = time.monotonic() + seconds
        while not self.stopped and (left := until - time.monotonic()) > 0:
            leader, turn = self.leader, self._turn
            if not self._polling:
                time.sleep(min(TURN, left))
                if leader is not None and self._turn == turn:
                    self.take_lead_from(leader, turn)
                continue
            self._unwatched = True
            called = self._polling and self._attention.wait(left)
            if called and self._unwatched:
                return  # not by the loop: somebody wants the owner
            self._unwatched = False

    # for those who serve; on the thread that leads

    def register(self, sock: socket.socket, handler: Handler, events: int = READ) -> None:
        """Have `handler` called with the events of a descriptor. Raises OSError."""
        self._handlers[sock.fileno()] = handler
        try:
            self._epoll.register(sock, events)
        except OSError:
            del self._handlers[sock.fileno()]
            raise

    def unregister(self, sock: socket.socket) -> None:
        """No further event of this descriptor is handled."""
        if self._handlers.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock)

    def close(self, sock: socket.socket) -> None:
        """Unregister a socket, and close it once no event of it is left."""
        self.unregister(sock)
        self._closing.append(sock)

    def begin(self, work: Call) -> None:
        """Have `work` done as a task, soon. The caller does nothing more with what the task uses."""
        self._begins.append(work)

    def put_off(self, call: Call) -> None:
        """Have this called after others. However many are put off, who comes meanwhile waits for a few of them."""
        self._later.append(call)

    def detach(self, sock: socket.socket) -> None:
        """Watch a socket that was attached no longer."""
        if self._attached.pop(sock, None) is not None:
            self.unregister(sock)

    def every_second(self, tick: Call) -> None:
        """Have `tick` called every second, or a little later."""
        self._ticks.append(tick)

    @property
    def busy(self) -> int:
        return sum(thread.inside for thread in tuple(self._threads))

    @property
    def is_busy(self) -> bool:
        """Whether anything waits for its turn."""
        return bool(self._cycle or self._begins or self._calls or self._end or self._later)

    # for any thread

    def call(self, call: Call) -> None:
        """Have this called on the thread that leads; it must not wait."""
        self._calls.append(call)
        self.wake()

    def attach(self, sock: socket.socket, on_event: Call, on_stop: Call) -> None:
        """Have `on_event` called when something has come on a socket of another kind; `on_stop` once that is not possible."""
        self._attached[sock] = on_stop
        self.call(partial(self._attach, sock, on_event))
        if self.stopped:
            self._let_go(sock)

    def _attach(self, sock: socket.socket, on_event: Call) -> None:
        try:
            self.register(sock, lambda _: on_event(), COMES)
        except (OSError, ValueError):  # there is no memory for it; or it is closed
            self._let_go(sock)

    def _let_go(self, sock: socket.socket) -> None:
        if (on_stop := self._attached.pop(sock, None)) is not None:
            on_stop()

    def at_end(self, work: Call) -> None:
        """Have `work` done as a task when all that is ready has been handled."""
        self._end.append(work)
        self.wake()

    def offload(self, work: Call) -> None:
        """Have `work` done by a thread of the pool. Raises RuntimeError: there is none."""
        self._pool.submit(work)

    def wake(self) -> None:
        """There is something to do besides events."""
        if self._polling:
            self._polling = False  # once is enough: it looks at everything before it waits again
            os.eventfd_write(self._wakeup, 1)

    # the lead

    def lead(self, me: LoopThread) -> None:
        """Handle what there is, until another thread leads."""
        failures = 0  # in a row
        while True:
            with self._lock:
                if self.leader is not me or self.stopped:
                    return
                self._turn += 1
            try:
                self._step(me)
                failures = 0
            except Exception:
                log.exception("an event could not be handled")
                failures += 1
            if failures > MOST_FAILURES:  # perhaps all will fail: the log is not to fill the disk
                time.sleep(PAUSE)

    def _step(self, me: LoopThread) -> None:
        """Do one thing. What a task could interrupt is never half done: when a task begins here, nothing else is under way."""
        if not self._cycle:
            self._refill(me)
            return
        if self._went_on and self._cycle[0][0] is not _CALL and time.monotonic() - self._looked >= LOOK:
            self._look(0)  # no event is left, as they come first in a cycle
            calls = [(_CALL, self._calls.popleft()) for _ in range(len(self._calls))]
            self._cycle.extendleft(reversed(calls))  # the end of an answer does not wait for other tasks
        kind, work = self._cycle.popleft()
        if kind is _CALL:
            work()
            return
        if self._unwatched:
            self._unwatched = False
            self._attention.call()
        self._went_on = True
        if kind is _BEGIN:
            me.begin(work)
        else:
            me.run_ready()

    def _refill(self, me: LoopThread) -> None:
        """Take what there is to do now; what that leads to comes after it, so that everybody has a turn."""
        ready = me.runner.has_ready
        busy = bool(ready or self._calls or self._begins or self._later)
        if busy and (not self._cycles or (self._cycles < CYCLES and time.monotonic() - self._looked < LOOK)):
            self._cycles += 1
            self._cycle.extend((_CALL, self._calls.popleft()) for _ in range(len(self._calls)))
            self._cycle.extend((_BEGIN, self._begins.popleft()) for _ in range(len(self._begins)))
            self._cycle.extend((_READY, _nothing) for _ in range(ready))
            self._cycle.extend((_CALL, self._later.popleft()) for _ in range(min(len(self._later), PUT_OFF)))
        elif self._end:
            self._cycle.extend((_BEGIN, self._end.popleft()) for _ in range(len(self._end)))
        else:
            self._cycles = 0
            self._wait(me, busy=busy)

    def _wait(self, me: LoopThread, *, busy: bool) -> None:
        """Wait for events, unless there is something else to do; and do what is due."""
        closing, self._closing = self._closing, []
        for sock in closing:
            sock.close()
        me.runner.expire()
        due = me.runner.seconds()
        patience = LONGEST if due is None else max(0.0, min(due, LONGEST))
        self._polling = True  # from here on `wake` writes; what was left before is seen here
        idle = not (busy or self._calls or self._begins or self._end or me.runner.has_ready)
        try:
            self._look(patience if idle else 0)
        finally:
            self._polling = False

    def _look(self, patience: float) -> None:
        """Have the events that come within so many seconds handled first."""
        self.lag = time.monotonic() - self._looked
        events = self._epoll.poll(patience, BURST)
        self._cycle.extendleft((_CALL, partial(self._handle, descriptor, event)) for descriptor, event in reversed(events))
        self._looked = now = time.monotonic()
        self._went_on = False
        if now - self._ticked >= LONGEST:
            self._ticked = now
            self._calls.extend(self._ticks)

    def _handle(self, descriptor: int, events: int) -> None:
        if (handler := self._handlers.get(descriptor)) is not None:
            handler(events)

    def take_lead_from(self, thread: LoopThread, turn: int | None = None) -> None:
        """Have another thread lead in place of this one, which is in a task; unless it has begun something new since `turn`."""
        with self._lock:
            if self.leader is not thread or not thread.inside or turn not in (None, self._turn) or self.stopped:
                return
            following = next((other for other in self._threads if other.waits), None)
            if following is None and len(self._threads) < self._most:
                following = self._new_thread()
            if following is not None:
                self.leader = following
        if following is not None:
            following.wake()
            return
        for sock in tuple(self._attached):  # what these threads wait for may come there: others have to read it
            self.unregister(sock)
            self._let_go(sock)

    def _new_thread(self) -> LoopThread | None:
        thread = LoopThread(self)
        try:
            thread.start()
        except RuntimeError:  # the one that blocks keeps the lead
            return None
        self._threads.append(thread)
        return thread

    def dismiss(self, thread: LoopThread) -> bool:
        """Whether a thread without anything to do may end."""
        with self._lock:
            if self.leader is thread or len(self._threads) <= 2:
                return False
            self._threads.remove(thread)
        return True
