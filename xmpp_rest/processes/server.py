"""What does the process that owns the link do for the others? Their calls, and the telling of what happens (decision 0007)."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.processes.channel import Channel, Message
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

log = logging.getLogger(__name__)

QUICK_THREADS = 32
STUCK = 5  # seconds that a peer may take nothing of what it is told; then it is cut off
LISTEN, FORGET = "listen", "forget"  # calls of the hub's own; the second has no answer: nobody waits any more for that of another one
WELCOME = {"number": 0}  # answers no call: whoever hears it, or an event before it, hears every event from there on

Handler = Callable[..., Any]
End = Callable[[], None]
"""Ends what a call has begun; it is answered then, if it was not before."""


class Peers:
    """The processes that are connected to this one, the owner. Owned by the Hub, whose docstring says what the two kinds of calls are."""

    def __init__(self, quick: Mapping[str, Handler], later: Mapping[str, Handler]) -> None:
        self._quick = quick
        self._later = later
        self._peers: dict[Channel, bool] = {}  # and whether it wants to hear what happens
        self._promised: dict[tuple[Channel, int], End] = {}  # what ends a call that is under way
        self._pool = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="hub call")

    def __bool__(self) -> bool:
        return bool(self._peers)

    def stop(self) -> None:
        """No further call is begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End all connections."""
        for peer in tuple(self._peers):
            peer.close()

    def admit(self, sock: socket.socket) -> None:
        """Serve a process that has connected, on a thread of its own; or end the connection if that is not possible now."""
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", STUCK, 0))
            peer = Channel(sock)
            threading.Thread(target=self._serve, args=(peer,), name="hub peer", daemon=True).start()
        except (OSError, RuntimeError) as e:  # it is gone already; no descriptor, no thread: the peer tries again
            log.warning("another process could not be let in: %s", e)
            sock.close()

    def do(self, name: str, wait: Wait, arguments: dict[str, Any]) -> Any:
        """A call of the owner's own. Raises what the handler does, client-gone, and link-down where a promised result did not come."""
        if name not in self._later:
            return self._quick[name](**arguments)
        answer = OneShot[tuple[Any]]()  # which may be None
        end = self._later[name](lambda result: answer.give((result,)), **arguments)
        given = answer.wait(*wait)
        if given is None:
            if end is not None:
                end()
            raise GatewayError("client-gone") if wait.gone() else Unanswered("There was no answer; try again later")
        (result,) = given
        if isinstance(result, Exception):
            raise result
        return result

    # what they call

    def _serve(self, peer: Channel) -> None:
        """Whatever goes wrong with one call, the next one is heard; nothing is under way for a peer that has gone."""
        self._peers[peer] = False
        _give(peer, WELCOME)
        try:
            while (message := peer.receive()) is not None:
                try:
                    self._begin(peer, message)
                except Exception as e:  # no thread for it, say
                    _give(peer, _shown(message, e))
        finally:
            self._peers.pop(peer, None)
            peer.close()
            for key in [key for key in tuple(self._promised) if key[0] is peer]:
                self._forget(key)

    def _begin(self, peer: Channel, message: Message) -> None:
        name = message["call"]
        if name == LISTEN:
            self._peers[peer] = True
            _give(peer, _shown(message, None))
        elif name == FORGET:
            self._forget((peer, message["of"]))
        elif name in self._later:
            self._promise(peer, self._later[name], message)
        elif name in self._quick:
            self._pool.submit(self._answer, peer, self._quick[name], message)
        else:
            text = f"The process that owns the link knows no call {name!r}: restart it, for it is of another version"
            _give(peer, _shown(message, GatewayError("link-down", text)))

    @staticmethod
    def _answer(peer: Channel, handler: Handler, message: Message) -> None:
        try:
            result = handler(**message["arguments"])
        except Exception as e:
            result = e
        _give(peer, _shown(message, result))

    def _promise(self, peer: Channel, handler: Handler, message: Message) -> None:
        key = peer, message["number"]
        told = threading.Event()

        def tell(result: Any) -> None:
            told.set()
            self._promised.pop(key, None)
            self._give_now(peer, _shown(message, result))

        try:
            end = handler(tell, **message["arguments"])
        except Exception as e:
            tell(e)
            return
        if end is not None:
            self._promised[key] = end
            if told.is_set():
                self._promised.pop(key, None)

    def _forget(self, key: tuple[Channel, int]) -> None:
        """Nobody waits for this any more."""
        if end := self._promised.pop(key, None):
            try:
                end()
            except Exception:
                log.exception("a call that nobody waits for could not be ended")

    def _give_now(self, peer: Channel, answer: Message) -> None:
        """On a thread that must not be held up."""
        with contextlib.suppress(OSError, RuntimeError):  # the peer is gone; or this process ends
            if not peer.send_now(answer):
                self._pool.submit(_give, peer, answer)

    # what they are told

    @property
    def have_listeners(self) -> bool:
        """Whether any of them wants to hear what happens."""
        return any(tuple(self._peers.values()))

    def tell(self, event: Message) -> None:
        """Tell those that listen."""
        self._tell(event, [peer for peer, listens in tuple(self._peers.items()) if listens])

    def tell_all(self, event: Message) -> None:
        """Tell each of them."""
        self._tell(event, tuple(self._peers))

    @staticmethod
    def _tell(event: Message, peers: Iterable[Channel]) -> None:
        for peer in peers:
            _give(peer, {"event": event})


def _give(peer: Channel, message: Message) -> None:
    try:
        peer.send(message)
    except OSError:  # it is gone, or takes nothing; half a message may be on its way
        peer.close()


def _shown(message: Message, result: Any) -> Message:
    """The answer to a call, whose result may be the exception that it raised; of one that nobody foresaw only the log has the text."""
    answer: Message = {"number": message.get("number")}
    if isinstance(result, GatewayError):
        answer["error"] = [result.name, result.text]
    elif isinstance(result, Exception):
        log.error("a call of another process failed", exc_info=result)
        answer["error"] = ["internal"]
    else:
        answer["result"] = result
    return answer
