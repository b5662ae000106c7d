"""FollowerCalls: the calls that others make of this process, from the message until the answer is sent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.codec import write_error
from xmpp_rest.processes.group import ClosableChannel, End, FollowerChannel, Member, Message
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.threads.daemon_pool import DaemonPool

log = logging.getLogger("xmpp_rest.server")

THREADS = 32  # for calls that may wait
REQUEST = "request"  # in a call: the id of the request on whose behalf it is


class FollowerCalls:
    """The calls that are under way. Owned by Followers."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[FollowerChannel, int], End] = {}  # what ends a deferred call
        self._pool = DaemonPool(THREADS, "call")  # one of the standard library takes nothing once the main thread has ended: before `stop`
        self._stopped = False
        self._open = 0  # calls that are not answered yet
        self._changed = threading.Condition()  # of the line above, or of what followers say

    def stop(self) -> None:
        """No further call is begun."""
        self._stopped = True
        self._pool.stop()

    def submit(self, work: Callable[[], None]) -> None:
        """Have it done by a thread that may wait; it must raise nothing.

        Raises GatewayError, link-down, after `stop`; RuntimeError: the system gives no thread.
        """
        try:
            self._pool.submit(work)
        except RuntimeError as e:
            if self._stopped:
                raise GatewayError("link-down", "The leading process is ending; try again later") from e
            raise

    def count(self, difference: int) -> None:
        """So many more calls are open; 0: followers have said something that `wait_for` is about."""
        with self._changed:
            self._open += difference
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for this, and then for all calls to be answered; each for so long at most."""
        with self._changed:
            self._changed.wait_for(condition, seconds)
            self._changed.wait_for(lambda: not self._open, seconds)

    def forget_all(self, channel: FollowerChannel) -> None:
        """Nobody waits for what was called over this channel."""
        for key in [key for key in tuple(self._under_way) if key[0] is channel]:
            self.forget(key)

    def begin(self, channel: FollowerChannel, member: Member, message: Message) -> None:
        """Answer a call, sooner or later. Raises GatewayError, and others: then it is not answered."""
        name = message["call"]
        if member.is_deferred(name):
            self._defer(channel, member, message)
        else:
            self.count(1)
            try:
                self.submit(partial(self._perform, channel, member, message))
            except BaseException:
                self.count(-1)
                raise

    def _perform(self, channel: FollowerChannel, member: Member, message: Message) -> None:
        try:
            with on_behalf_of(message.get(REQUEST)):
                result = member.perform(message["call"], message["arguments"])
        except Exception as e:
            result = e
        self._send_answer(channel, answer_to(message, result))

    def _defer(self, channel: FollowerChannel, member: Member, message: Message) -> None:
        key = channel, message["number"]
        replied = threading.Event()

        def reply(result: Any) -> None:
            replied.set()
            self._under_way.pop(key, None)
            self._send_soon(channel, answer_to(message, result))

        self.count(1)
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

    def forget(self, key: tuple[FollowerChannel, int]) -> None:
        """Nobody waits for this any more."""
        if end := self._under_way.pop(key, None):
            try:
                end()
            except Exception:
                log.exception("an abandoned call could not be ended")

    def _send_soon(self, channel: FollowerChannel, answer: Message) -> None:
        """Answer a deferred call, on a thread that must not be held up."""
        try:
            if not channel.send_now(answer):
                self._pool.submit(partial(self._send_answer, channel, answer))
                return
        except (OSError, RuntimeError) as e:  # the follower is gone; or this process ends
            log.debug("an answer could not be sent: %s", e)
        self.count(-1)

    def _send_answer(self, channel: FollowerChannel, answer: Message) -> None:
        send_or_close(channel, answer)
        self.count(-1)


def send_or_close(channel: ClosableChannel, message: Message) -> None:
    """Send it; a channel that cannot take it is ended."""
    try:
        channel.send(message)
    except OSError:  # it is gone, or takes nothing; half a message may be on its way
        channel.close()


def answer_to(message: Message, result: Any) -> Message:
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
