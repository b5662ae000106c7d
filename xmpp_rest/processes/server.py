"""The leader's side of the channels: answers the calls of followers, and sends them messages."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.channel import Channel
from xmpp_rest.processes.codec import write_error
from xmpp_rest.processes.group import End, Member, Message
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.threads.sockets import SocketLoop

log = logging.getLogger("xmpp_rest.server")

THREADS = 32  # for calls that may wait
STUCK = 5  # seconds that a follower may take nothing of what it is sent; then it is cut off
REQUEST = "request"  # in a call: the id of the request on whose behalf it is
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


class Followers:
    """The processes that are connected to this one, the leader. Owned by LocalGroup."""

    def __init__(self) -> None:
        self._connected: dict[Channel, _Follower] = {}
        self._under_way: dict[tuple[Channel, int], End] = {}  # what ends a deferred call
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._stopped = False
        self._leaving = False
        self._open = 0  # calls that are not answered yet
        self._changed = threading.Condition()  # of the line above, or of what followers say

    def __bool__(self) -> bool:
        return bool(self._connected)

    def stop(self) -> None:
        """No further call is begun, also none of a process that has connected just now."""
        self._stopped = True
        self.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def hand_over(self, seconds: float) -> None:
        """Have the followers call no more, and answer what they have called for; for so many seconds at most."""
        self._leaving = True
        for channel, follower in tuple(self._connected.items()):
            if follower.id:
                _send(channel, LEAVING)
        if not self._connected:
            return
        with self._changed:
            self._changed.wait_for(lambda: all(each.has_left for each in tuple(self._connected.values()) if each.id), seconds)
            self._changed.wait_for(lambda: not self._open, seconds)

    def _count(self, difference: int) -> None:
        with self._changed:
            self._open += difference
            self._changed.notify_all()

    def close(self) -> None:
        """End all connections."""
        for channel in tuple(self._connected):
            channel.close()

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
        follower = self._connected[channel] = _Follower()
        if self._stopped:  # `stop` may not have seen this one
            channel.close()
        _send(channel, WELCOME)
        try:
            channel.each(partial(self._take, channel, follower, member), loop)
        finally:
            self._connected.pop(channel, None)
            channel.close()
            for key in [key for key in tuple(self._under_way) if key[0] is channel]:
                self._forget(key)
            self._count(0)
            if follower.id:
                member.forget(follower.id)

    def _take(self, channel: Channel, follower: _Follower, member: Member, message: Message) -> None:
        try:
            self._begin(channel, follower, member, message)
        except Exception as e:  # no thread for it, say
            _send(channel, _answer(message, e))

    def _begin(self, channel: Channel, follower: _Follower, member: Member, message: Message) -> None:
        name = message["call"]
        if name == JOIN:
            follower.id = message["id"]
            if self._leaving:
                _send(channel, LEAVING)
        elif name == LEFT:
            follower.has_left = True
            self._count(0)
        elif name == LISTEN:
            follower.listens = True
            _send(channel, _answer(message, None))
        elif name == FORGET:
            self._forget((channel, message["of"]))
        elif member.is_deferred(name):
            self._defer(channel, member, message)
        elif self._stopped:
            raise GatewayError("link-down", "The leading process is ending; try again later")
        else:
            self._count(1)
            try:
                self._pool.submit(self._perform, channel, member, message)
            except BaseException:
                self._count(-1)
                raise

    def _perform(self, channel: Channel, member: Member, message: Message) -> None:
        try:
            with on_behalf_of(message.get(REQUEST)):
                result = member.perform(message["call"], message["arguments"])
        except Exception as e:
            result = e
        self._send_answer(channel, _answer(message, result))

    def _defer(self, channel: Channel, member: Member, message: Message) -> None:
        key = channel, message["number"]
        replied = threading.Event()

        def reply(result: Any) -> None:
            replied.set()
            self._under_way.pop(key, None)
            self._send_soon(channel, _answer(message, result))

        self._count(1)
        try:
            with on_behalf_of(message.get(REQUEST)):
                end = member.begin(message["call"], message["arguments"], reply)
        except Exception as e:
            reply(e)
            return
        if end is not None:
            self._under_way[key] = end
            if replied.is_set():
                self._under_way.pop(key, None)

    def _forget(self, key: tuple[Channel, int]) -> None:
        """Nobody waits for this any more."""
        if end := self._under_way.pop(key, None):
            try:
                end()
            except Exception:
                log.exception("an abandoned call could not be ended")

    def _send_soon(self, channel: Channel, answer: Message) -> None:
        """Answer a deferred call, on a thread that must not be held up."""
        try:
            if not channel.send_now(answer):
                self._pool.submit(self._send_answer, channel, answer)
                return
        except (OSError, RuntimeError) as e:  # the follower is gone; or this process ends
            log.debug("an answer could not be sent: %s", e)
        self._count(-1)

    def _send_answer(self, channel: Channel, answer: Message) -> None:
        _send(channel, answer)
        self._count(-1)

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

    def has(self, process: str) -> bool:
        """Whether a process of this id has joined, and is connected."""
        return process in self.ids

    def publish(self, message: Message) -> None:
        """Send it to those that listen."""
        _send_all([channel for channel, follower in tuple(self._connected.items()) if follower.listens], message)

    def broadcast(self, message: Message) -> None:
        """Send it to each of them."""
        _send_all(tuple(self._connected), message)


def _send_all(channels: Iterable[Channel], message: Message) -> None:
    for channel in channels:
        _send(channel, {"message": message})


def _send(channel: Channel, message: Message) -> None:
    try:
        channel.send(message)
    except OSError:  # it is gone, or takes nothing; half a message may be on its way
        channel.close()


def _answer(message: Message, result: Any) -> Message:
    """The answer to a call, whose result may be the exception that it raised; of one that nobody foresaw only the log has the text."""
    answer: Message = {"number": message.get("number")}
    if isinstance(result, GatewayError):
        answer["error"] = write_error(result)
    elif isinstance(result, Exception):
        log.error("a call of another process failed", exc_info=result)
        answer["error"] = write_error(GatewayError("internal"))
    else:
        answer["result"] = result
    return answer
