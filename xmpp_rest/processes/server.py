"""The leader's side of the channels: answers the calls of followers, and sends them messages.

The speaker of a node that does not lead has it too: it answers what is asked of its node, and passes the rest on (`group.Relay`).
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Collection, Iterable
from functools import partial

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.channel import Channel
from xmpp_rest.processes.codec import write_error
from xmpp_rest.processes.follower_calls import FollowerCalls, answer_to, send_or_close
from xmpp_rest.processes.group import FollowerChannel, Member, Message, Relay
from xmpp_rest.threads.sockets import SocketLoop

log = logging.getLogger("xmpp_rest.server")

STUCK = 5  # seconds that a follower may take nothing of what it is sent; then it is cut off
JOIN, LISTEN, FORGET = "join", "listen", "forget"  # calls of the group's own; the last has no answer: nobody waits any more for another one
LEFT = "left"  # the last call of a follower that has been told LEAVING; it has no answer
LEAVING = {"leaving": True}  # from the leader: call no more, and wait for the answers; another process leads next
WELCOME = {"number": 0}  # answers no call: a process that receives it, or a message before it, gets every message from there on


class _Follower:
    """What is known of one connection."""

    def __init__(self) -> None:
        self.id = ""  # of a process that has joined; the command line does not
        self.listens = False
        self.has_left = False
        self.is_welcome = False


class Followers:
    """The processes that are connected to this one, the leader or a speaker. Owned by LocalGroup."""

    def __init__(self, relay: Relay | None = None) -> None:
        """With a `relay` no process is let in before `let_in`: others call what is of the node meanwhile."""
        self._relay = relay
        self._lets_in = relay is None
        self._letting_in = threading.Lock()  # guards the line above, and who is welcome
        self._connected: dict[FollowerChannel, _Follower] = {}
        self._calls = FollowerCalls()
        self._passed_on: set[tuple[FollowerChannel, int]] = set()  # what another node is to answer
        self._stopped = False
        self._leaving = False

    def __bool__(self) -> bool:
        return bool(self._connected)

    def stop(self) -> None:
        """No further call is begun, also none of a process that has connected just now."""
        self._stopped = True
        self.close()
        self._calls.stop()

    def hand_over(self, seconds: float) -> None:
        """Have the followers call no more, and answer what they have called for; for so many seconds at most."""
        self._leaving = True
        for channel, follower in tuple(self._connected.items()):
            if follower.id:
                send_or_close(channel, LEAVING)
        if not self._connected:
            return
        self._calls.wait_for(lambda: all(each.has_left for each in tuple(self._connected.values()) if each.id), seconds)

    def close(self) -> None:
        """End all connections."""
        for channel in tuple(self._connected):
            channel.close()

    def let_in(self) -> None:
        """There is a leader: the processes that are connected may take part, and those that come."""
        with self._letting_in:
            self._lets_in = True
            waiting = [channel for channel, follower in tuple(self._connected.items()) if not follower.is_welcome]
            for channel in waiting:
                self._welcome(channel)

    def shut_out(self) -> None:
        """There is no leader: those that took part connect again, and programs get no answers to what was passed on."""
        with self._letting_in:
            self._lets_in = False
        for channel, follower in tuple(self._connected.items()):
            if follower.id:
                channel.close()
        for channel, number in tuple(self._passed_on):
            self.answered(channel, {"number": number, "error": write_error(GatewayError("unanswered"))})

    def _welcome(self, channel: FollowerChannel) -> None:
        if (follower := self._connected.get(channel)) is not None:
            follower.is_welcome = True
            send_or_close(channel, WELCOME)

    def admit(self, sock: socket.socket, member: Member, loop: SocketLoop | None = None) -> None:
        """Serve a process that has connected, with the loop, or a thread of its own; or end the connection if that is not possible now."""
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", STUCK, 0))
            channel = Channel(sock)
            threading.Thread(target=self._serve, args=(channel, member, loop), name="follower", daemon=True).start()
        except (OSError, RuntimeError) as e:  # it is gone already; no descriptor, no thread: the follower tries again
            log.warning("another process could not be let in: %s", e)
            sock.close()

    # what they call

    def _serve(self, channel: Channel, member: Member, loop: SocketLoop | None) -> None:
        """Whatever goes wrong with one call, the next one is answered; nothing is under way for a follower that has gone."""
        self.enter(channel)
        try:
            channel.each(partial(self.take, channel, member), loop)
        finally:
            self.leave(channel, member, on_node=True)

    def enter(self, channel: FollowerChannel, *, is_welcome: bool = False) -> None:
        """There is another one. `is_welcome`: it knows that it may take part."""
        with self._letting_in:
            self._connected[channel] = follower = _Follower()
            follower.is_welcome = is_welcome
            if self._stopped:  # `stop` may not have seen this one
                channel.close()
            if self._lets_in and not is_welcome:
                self._welcome(channel)

    def leave(self, channel: FollowerChannel, member: Member, *, on_node: bool) -> None:
        """It has gone. `on_node`: from this node."""
        follower = self._connected.pop(channel, None)
        channel.close()
        self._calls.forget_all(channel)
        for key in [key for key in tuple(self._passed_on) if key[0] is channel]:
            self._has_answered(key)
        self._calls.count(0)
        if self._relay is not None and on_node:
            self._relay.has_left(channel)
        if follower is not None and follower.id:
            if on_node:
                member.forget_on_node(follower.id)
            if not self._passes_on:
                member.forget(follower.id)

    def take(self, channel: FollowerChannel, member: Member, message: Message) -> None:
        """Take what it says. Raises nothing."""
        try:
            if (follower := self._connected.get(channel)) is not None:
                self._begin(channel, follower, member, message)
        except Exception as e:  # no thread for it, say
            send_or_close(channel, answer_to(message, e))

    @property
    def _passes_on(self) -> bool:
        return self._relay is not None and self._relay.passes_on

    def _begin(self, channel: FollowerChannel, follower: _Follower, member: Member, message: Message) -> None:
        name = message["call"]
        passes_on = self._passes_on
        if name == JOIN:
            self._join(channel, follower, message)
        elif name == LEFT:
            follower.has_left = True
            self._calls.count(0)
        elif name == LISTEN:
            follower.listens = True
            if not passes_on:
                send_or_close(channel, answer_to(message, None))
        elif name == FORGET:
            self._calls.forget((channel, message["of"]))
        elif not passes_on or member.is_of_node(name):
            self._calls.begin(channel, member, message)
            return
        if passes_on:
            self._pass_on(channel, follower, message)

    def _join(self, channel: FollowerChannel, follower: _Follower, message: Message) -> None:
        follower.id = message["id"]
        if not self._lets_in:  # the leader has gone since it was welcome
            channel.close()
        elif self._leaving:
            send_or_close(channel, LEAVING)

    def _pass_on(self, channel: FollowerChannel, follower: _Follower, message: Message) -> None:
        """Have the leader on another node take it. While there is none a process is to connect again, and the call of a program waits."""
        assert self._relay is not None
        relay = self._relay
        if not relay.can_pass_on:
            if follower.id:
                channel.close()
            else:
                self._calls.submit(partial(self._pass_on_later, relay, channel, message))
            return
        key = channel, message.get("number", 0)
        if message["call"] == FORGET:
            self._has_answered((channel, message["of"]))
        elif key[1]:
            self._passed_on.add(key)
            self._calls.count(1)
        try:
            relay.pass_on(channel, message)
        except BaseException:
            self._has_answered(key)
            raise

    def _pass_on_later(self, relay: Relay, channel: FollowerChannel, message: Message) -> None:
        if not relay.wait():
            send_or_close(channel, answer_to(message, GatewayError("link-down", "There is no owning node; try again later")))
        elif (follower := self._connected.get(channel)) is not None:
            try:
                self._pass_on(channel, follower, message)
            except Exception as e:
                send_or_close(channel, answer_to(message, e))

    def answered(self, channel: FollowerChannel, message: Message) -> None:
        """Send it what the leader on another node has said to it."""
        send_or_close(channel, message)
        self._has_answered((channel, message.get("number", 0)))

    def _has_answered(self, key: tuple[FollowerChannel, int]) -> None:
        if key in self._passed_on:
            self._passed_on.discard(key)
            self._calls.count(-1)

    # what they are sent

    @property
    def have_listeners(self) -> bool:
        """Whether any of them listens."""
        return any(follower.listens for follower in tuple(self._connected.values()))

    @property
    def count(self) -> int:
        """How many processes have joined; a program that only calls has not."""
        return len(self.ids)

    @property
    def ids(self) -> list[str]:
        """The ids of the processes that have joined, and are connected."""
        return [follower.id for follower in tuple(self._connected.values()) if follower.id]

    @property
    def ids_on_node(self) -> list[str]:
        """Those of the processes of this node."""
        return [follower.id for channel, follower in tuple(self._connected.items()) if follower.id and channel.trunk is channel]

    def has(self, process: str) -> bool:
        """Whether a process of this id has joined, and is connected."""
        return process in self.ids

    def publish(self, message: Message, audience: Collection[str] | None = None) -> None:
        """Send it to those that listen; to those of another node if one of `audience` is there."""
        connected = tuple(self._connected.items())
        _send_all([channel for channel, follower in connected if follower.listens and _hears(channel, follower, audience)], message)

    def broadcast(self, message: Message) -> None:
        """Send it to each of them."""
        _send_all(tuple(self._connected), message)

    def broadcast_on_node(self, message: Message) -> None:
        """Send it to those of this node."""
        _send_all([channel for channel in tuple(self._connected) if channel.trunk is channel], message)


def _hears(channel: FollowerChannel, follower: _Follower, audience: Collection[str] | None) -> bool:
    return audience is None or channel.trunk is channel or follower.id in audience


def _send_all(channels: Iterable[FollowerChannel], message: Message) -> None:
    for trunk in dict.fromkeys(channel.trunk for channel in channels):
        send_or_close(trunk, {"message": message})
