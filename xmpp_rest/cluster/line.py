"""Line: what two speakers say to each other, counted on both sides, so that neither goes on after something was lost."""

# many-machines §5

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from xmpp_rest.cluster.frames import CHANNEL, ENDS, SAYS, frame_text, pack
from xmpp_rest.processes.group import Message


class FrameQueue(Protocol):
    """What sends the frames of lines; `sender_thread.FrameSender` is one."""

    def put(self, line: Line, text: str) -> None:
        """Send it soon, behind what was put before. Raises OSError if too much waits already."""


class Line:
    """One end of it. It ends once, by either side, or by a loss; then another one is to be opened. Any thread may use it."""

    def __init__(self, name: str, to: str, queue: FrameQueue, clock: Callable[[], float], on_end: Callable[[], None]) -> None:
        """`to`: the channel that the other speaker listens to; `on_end` is called by whatever thread notices the end, and must not wait."""
        self.name = name
        self.to = to
        self._queue = queue
        self._clock = clock
        self._on_end = on_end
        self._received = 0  # payloads
        self._sent = 0
        self._heard = self._said = clock()
        self.end_reason = ""
        """Why it has ended; "" before that."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is carried."""
        return bool(self.end_reason)

    def end(self, reason: str) -> None:
        """Carry nothing more."""
        if not self.end_reason:
            self.end_reason = reason
            self._on_end()

    def send(self, frame: Message) -> None:
        """Send a frame. Raises OSError if the line has ended."""
        text = frame_text(frame)
        if self.has_ended:
            raise BrokenPipeError(errno.EPIPE, self.end_reason)
        self._said = self._clock()
        self._queue.put(self, text)

    def pack(self, run: str, texts: Sequence[str]) -> list[tuple[str, str]]:
        """The channel and payload of these frames, which are about to be sent. Called by one thread."""
        payloads = pack(self.name, self._sent + 1, run, texts)
        self._sent += len(payloads)
        return [(self.to, payload) for payload in payloads]

    def receive(self, number: int) -> bool:
        """Whether the payload with this number is the next one; otherwise the line ends. Called by one thread."""
        if self.has_ended:
            return False
        self._heard = self._clock()
        self._received += 1
        if number != self._received:
            self.end(f"payload {self._received} was lost")
        return not self.has_ended

    def silence(self) -> float:
        """For how many seconds the other side has said nothing."""
        return self._clock() - self._heard

    def quiet(self) -> float:
        """For how many seconds this side has said nothing."""
        return self._clock() - self._said


class LineChannel:
    """The channel of one process on a line, at either end; a `group.FollowerChannel`."""

    def __init__(self, line: Line, name: str) -> None:
        self.line = line
        self.name = name
        self._has_sent_all = False
        self._has_ended = False
        self._lock = threading.Lock()  # so that nothing follows the last message

    @property
    def trunk(self) -> LineTrunk:
        return LineTrunk(self.line)

    def send(self, message: Message, *, last: bool = False) -> None:
        with self._lock:
            if self._has_sent_all or self._has_ended:
                raise BrokenPipeError(errno.EPIPE, "this process sends no more")
            self._has_sent_all = last
            self.line.send({CHANNEL: self.name, SAYS: message})

    def send_now(self, message: Message) -> bool:
        self.send(message)
        return True

    def close(self) -> None:
        """Tell the other end, which closes the channel of the process."""
        with self._lock:
            if self._has_ended or self.line.has_ended:
                return
            self._has_ended = True
            try:
                self.line.send({CHANNEL: self.name, ENDS: True})
            except OSError as e:
                self.line.end(str(e))


class LineTrunk:
    """What carries a message once, for all processes behind a line. Equal to another one of the same line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LineTrunk) and other._line is self._line

    def __hash__(self) -> int:
        return hash(id(self._line))

    def send(self, message: Message, *, last: bool = False) -> None:
        """Send it; `last` means nothing here, as the line goes on."""
        self._line.send(message)

    def close(self) -> None:
        """The other side takes no more."""
        self._line.end("a message could not be sent")
