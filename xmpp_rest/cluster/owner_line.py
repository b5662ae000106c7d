"""OwnerLine: the line of a speaker to the owner's, on which each process of its node has a channel."""

# many-machines §5

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable

from xmpp_rest.cluster.call_times import CallTimes
from xmpp_rest.cluster.frames import CHANNEL, ENDS, MESSAGE, OPENED, OWN, PING, SAYS, Envelope, take_each
from xmpp_rest.cluster.line import Line, LineChannel
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.group import FollowerChannel, Message
from xmpp_rest.processes.server import Followers


class OwnerLine:
    """From the wish to follow an owner to the end of that. `take` is called by the ear, the rest by any thread."""

    def __init__(
        self,
        line: Line,
        followers: Followers,
        hear: Callable[[Message], None],
        on_open: Callable[[], None],
        times: CallTimes,
    ) -> None:
        """`hear` takes what the owner says to this process; `on_open` is called once the owner serves this node."""
        self.line = line
        self._own = LineChannel(line, OWN)  # the channel of this process
        self._times = times
        self.is_open = False
        """Whether the owner serves this node."""
        self._followers = followers
        self._hear = hear
        self._on_open = on_open
        self._there: dict[str, FollowerChannel] = {}  # name of a channel → that of the process
        self._names: dict[FollowerChannel, str] = {}
        self._lock = threading.Lock()  # guards the two above

    # what the owner says

    def take(self, envelope: Envelope) -> None:
        """Take a payload. Raises what one of its frames raised."""
        if self.line.receive(envelope.number):
            take_each(envelope.frames, self._take)

    def _take(self, frame: Message) -> None:
        if OPENED in frame:
            self.is_open = True
            self._on_open()
        elif MESSAGE in frame:
            self._spread(frame)
        elif (name := frame.get(CHANNEL)) == OWN:
            self._take_own(frame)
        elif (channel := self._there.get(str(name))) is not None:
            if ENDS in frame:
                channel.close()
            else:
                self._times.end(str(name), frame[SAYS])
                self._followers.answered(channel, frame[SAYS])

    def _take_own(self, frame: Message) -> None:
        if ENDS in frame:
            self.line.end("the owner has ended it")
        else:
            self._times.end(OWN, frame[SAYS])
            self._hear(frame[SAYS])

    def _spread(self, frame: Message) -> None:
        """Pass on what is for all processes of this node, and hear it."""
        message = frame[MESSAGE]
        if "published" in message:
            self._followers.publish(message)
        else:
            self._followers.broadcast(message)
        self._hear(frame)

    # what this node says

    def send(self, message: Message, *, last: bool = False) -> None:
        """Say something for this process; nothing can be said after the `last` message. Raises OSError."""
        self._times.begin(OWN, message)
        self._own.send(message, last=last)

    def pass_on(self, channel: FollowerChannel, message: Message) -> None:
        """Have the owner take what another process of this node says. Raises GatewayError, and then it does not."""
        with self._lock:
            name = self._names.get(channel)
            if name is None:
                name = self._names[channel] = secrets.token_hex(4)
                self._there[name] = channel
        self._times.begin(name, message)
        try:
            self.line.send({CHANNEL: name, SAYS: message})
        except OSError as e:
            raise GatewayError("link-down", "The owning node did not answer; try again later") from e

    def has_left(self, channel: FollowerChannel) -> None:
        """This process has gone."""
        with self._lock:
            name = self._names.pop(channel, "")
            self._there.pop(name, None)
        if name:
            with contextlib.suppress(OSError):  # the owner knows it then
                self.line.send({CHANNEL: name, ENDS: True})

    def look(self, lease: float, *, is_deaf: bool) -> None:
        """Keep the line up; see `ServedNodes.look`."""
        if self.line.silence() > lease and not is_deaf:
            self.line.end("the owner is silent")
        elif self.line.quiet() > lease / 4:
            try:
                self.line.send({PING: True})
            except OSError as e:
                self.line.end(str(e))
