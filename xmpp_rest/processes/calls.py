"""Calls to the leader over a channel, by a follower or by a program such as the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.processes.channel import SOCKET, connect
from xmpp_rest.processes.codec import Signature, ValueCodecs, read_error
from xmpp_rest.processes.follower_calls import REQUEST
from xmpp_rest.processes.group import CallChannel, Message
from xmpp_rest.processes.server import FORGET
from xmpp_rest.request_notes import current_id, new_id
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

NO_ANSWER = "The leading process did not answer; try again later"
ENDED = "The leading process has ended; try again later"


class Calls:
    """A follower's calls that are under way: each waits for the answer with its number. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._under_way: dict[int, OneShot[Message]] = {}
        self._number = 0
        self._lock = threading.Lock()

    def ask(self, leader: CallChannel, message: Message, wait: Wait) -> Any:
        """Call; what the leader answers. Raises as `ProcessGroup.call`."""
        return self.begin(leader, message)(wait)

    def begin(self, leader: CallChannel, message: Message) -> Callable[[Wait], Any]:
        """As `ask`, in two steps: what this returns waits for the answer. Raises GatewayError: link-down."""
        call: OneShot[Message] = OneShot()
        with self._lock:
            self._number += 1
            number = self._number
            self._under_way[number] = call
        try:
            leader.send(message | {"number": number, REQUEST: current_id()})
        except OSError as e:
            self._under_way.pop(number, None)
            raise GatewayError("link-down", NO_ANSWER) from e
        return partial(self._finish, leader, number, call)

    def _finish(self, leader: CallChannel, number: int, call: OneShot[Message], wait: Wait) -> Any:
        try:
            answer = call.wait(*wait)
            if answer is None:
                leader.send({"call": FORGET, "of": number})
        except OSError as e:
            raise GatewayError("link-down", NO_ANSWER) from e
        finally:
            self._under_way.pop(number, None)
        if answer is None:
            raise GatewayError("client-gone") if wait.gone() else Unanswered(NO_ANSWER)
        if "ended" in answer:
            raise Unanswered(answer["ended"])
        return _result_of(answer)

    def answer(self, message: Message) -> None:
        """The leader has answered; an answer that nobody waits for is ignored."""
        if call := self._under_way.pop(message["number"], None):
            call.give(message)

    def fail(self) -> None:
        """The leader has ended: nothing is answered any more."""
        for number in list(self._under_way):
            if call := self._under_way.pop(number, None):
                call.give({"ended": ENDED})


class LeaderClient:
    """A connection of a program to the leader of the gateway of this data folder; one call at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError, NotADirectoryError, ConnectionRefusedError where no gateway runs, and other OSErrors."""
        self._channel = connect(folder / SOCKET)
        self._codecs = ValueCodecs(lambda _: GatewayError("internal"))

    def call(self, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Have the leader run a method that Remote offers; what it returned. Raises GatewayError, ConnectionError."""
        signature = Signature(function, self._codecs)
        call: Message = {"call": function.__qualname__, "number": 1, "arguments": signature.to_json(arguments)}
        self._channel.send(call | {REQUEST: new_id()})  # all that it comes to is one request, as of HTTP
        while (message := self._channel.receive()) is not None:
            if message.get("number") == 1:  # else it is for all processes
                return signature.result.from_json(_result_of(message))
        raise ConnectionError("the gateway ended before it answered")

    def close(self) -> None:
        """End the connection."""
        self._channel.close()


def _result_of(answer: Message) -> Any:
    """The result in an answer. Raises the GatewayError in it."""
    if "error" in answer:
        raise read_error(answer["error"])
    return answer["result"]
