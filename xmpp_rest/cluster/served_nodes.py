"""ServedNodes: the other nodes, as the owner has them: their processes are followers, each on a channel of its node's line."""

# many-machines §5, §8

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from drivers.shared import channel_of
from xmpp_rest.cluster.frames import CHANNEL, CLOSED, ENDS, NODE, OPEN, OPENED, OWN, PING, SAYS, Envelope, take_each
from xmpp_rest.cluster.line import Line, LineChannel
from xmpp_rest.cluster.sender_thread import FrameSender
from xmpp_rest.processes.group import Member, Message
from xmpp_rest.processes.server import Followers

log = logging.getLogger("xmpp_rest.server")

MOST = 1000  # nodes
MOST_CHANNELS = 1000  # of one node


class ServedNodes:
    """The lines that other speakers have opened to this one, the owner's. `take` is called by the ear, the rest by any thread."""

    def __init__(
        self, domain: str, followers: Followers, sender: FrameSender, clock: Callable[[], float], on_end: Callable[[], None]
    ) -> None:
        """`on_end` is called when a line has ended, and must not wait; then `look` is to be called."""
        self._domain = domain
        self._followers = followers
        self._sender = sender
        self._clock = clock
        self._on_end = on_end
        self._member: Member | None = None  # None: nobody is served
        self._lines: dict[str, _ServedNode] = {}
        self._lock = threading.Lock()  # guards the two above

    def open(self, member: Member) -> None:
        """Serve those that ask for it from now on."""
        with self._lock:
            self._member = member

    def take(self, envelope: Envelope) -> bool:
        """Take what another node says on a line of its own; False: there is no such line, and it asks for none."""
        node = self._lines.get(envelope.line) or self._begin(envelope)
        if node is None:
            return False
        if node.line.receive(envelope.number):
            take_each(envelope.frames, node.take)
        return True

    def _begin(self, envelope: Envelope) -> _ServedNode | None:
        if envelope.number != 1 or not envelope.frames or OPEN not in envelope.frames[0]:
            return None
        with self._lock:
            if self._member is None or len(self._lines) >= MOST:
                return None
            line = Line(envelope.line, channel_of(self._domain, envelope.run), self._sender, self._clock, self._on_end)
            node = self._lines[envelope.line] = _ServedNode(line, str(envelope.frames[0].get(NODE)), self._followers, self._member)
            former = [each for each in self._lines.values() if each.node == node.node and each is not node]
        for each in former:  # of an earlier life of its speaker, which has ended
            each.line.end("its node has opened another one")
        return node

    def is_closed_there(self, name: str) -> None:
        """The other node has ended this line."""
        if (node := self._lines.get(name)) is not None:
            node.line.end("the other node has ended it")

    def look(self, lease: float, *, is_deaf: bool) -> None:
        """Keep the lines up; the processes behind one that has ended are forgotten. `is_deaf`: what was said is not heard yet."""
        for name, node in tuple(self._lines.items()):
            if node.line.silence() > lease and not is_deaf:
                node.line.end("the other node is silent")
            elif node.line.quiet() > lease / 4:
                node.ping()
            if node.line.has_ended:
                self._remove(name)

    def end_all(self, reason: str) -> None:
        """End all lines, which the other nodes may open again."""
        for node in tuple(self._lines.values()):
            node.line.end(reason)

    def close(self) -> None:
        """Serve nobody any more."""
        with self._lock:
            self._member = None
        for name in tuple(self._lines):
            self._remove(name)

    def _remove(self, name: str) -> None:
        with self._lock:
            node = self._lines.pop(name, None)
        if node is not None:
            node.line.end("it is over")
            self._sender.put_single(node.line.to, {CLOSED: name})
            node.leave()


class _ServedNode:
    """One other node, from the opening of its line to its end."""

    def __init__(self, line: Line, node: str, followers: Followers, member: Member) -> None:
        self.line = line
        self.node = node
        self._followers = followers
        self._member = member
        self._channels: dict[str, LineChannel] = {}
        self._has_left = False
        self._lock = threading.Lock()  # guards the two above

    def take(self, frame: Message) -> None:
        if OPEN in frame:
            self._channel(OWN)  # what is for all is sent from here on
            self.line.send({OPENED: True})
        elif CHANNEL in frame:
            name = str(frame[CHANNEL])
            if ENDS in frame:
                self._leave(name)
            elif (channel := self._channel(name)) is not None:
                self._followers.take(channel, self._member, frame[SAYS])

    def ping(self) -> None:
        try:
            self.line.send({PING: True})
        except OSError as e:
            self.line.end(str(e))

    def leave(self) -> None:
        """All its processes have gone."""
        with self._lock:
            self._has_left = True
        for name in tuple(self._channels):
            self._leave(name)

    def _channel(self, name: str) -> LineChannel | None:
        with self._lock:
            if (channel := self._channels.get(name)) is not None:
                return channel
            if self._has_left or len(self._channels) >= MOST_CHANNELS:
                return None
            channel = self._channels[name] = LineChannel(self.line, name)
        self._followers.enter(channel, is_welcome=True)
        return channel

    def _leave(self, name: str) -> None:
        with self._lock:
            channel = self._channels.pop(name, None)
        if channel is not None:
            try:
                self._followers.leave(channel, self._member, on_node=False)
            except Exception:  # neither the ear nor the speaker ends with it
                log.exception("a process of another node could not be forgotten")
