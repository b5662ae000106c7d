"""Which of the gateway's processes owns the link, and how do the others reach it? (decision 0007)

The first process to lock a file in the data folder is the owner and listens on a Unix socket; the others are its peers. They call it,
and it tells them what happens. When the owner dies the kernel frees the lock, the peers notice the end of their connection, and one of
them is next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.channel import Channel, Message, connect, listen
from xmpp_rest.processes.server import FORGET, LISTEN, Handler, Peers
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Gone, Wait, there

log = logging.getLogger(__name__)

LOCK, SOCKET = "owner.lock", "hub.sock"
RETRY = 0.05  # seconds between two attempts of a peer to lock the file or to reach the owner
AFTER_FAILURE = 5.0  # seconds after an error that somebody has to look at
AFTER_REFUSAL = 0.1  # seconds after a peer that there was no descriptor for
CLOSED = (errno.EBADF, errno.EINVAL)  # of accept(): somebody has closed the listener
NO_ANSWER = "The process that owns the link did not answer; try again later"
ROLE_TIMEOUT = 10.0  # seconds that a call waits for there to be an owner


class Hub:
    """This process's place among its siblings. `start()` and `stop()` are called by the Gateway.

    `quick` and `later` are the calls that peers may make of the owner: by keyword, with JSON in and out. Later ones must not wait: they
    get first what they have to call with the result, or the exception, once there is one, and may return what ends this when nobody waits
    for it any more.
    `on_role` is told, in the hub's thread, whether this process owns the link from now on; `on_event` gets what the owner tells.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quick: Mapping[str, Handler],
        later: Mapping[str, Handler] = MappingProxyType({}),
        on_role: Callable[[bool], None],
        on_event: Callable[[Message], None],
    ) -> None:
        self._folder = folder
        self._peers = Peers(quick, later)
        self._incidents = Incidents()
        self._on_role = on_role
        self._on_event = on_event
        self._stopping = threading.Event()
        self._settled = threading.Event()  # there is an owner that we are, or can call
        self._owner: Channel | None = None
        self._calls: dict[int, OneShot[Message]] = {}  # and the messages that answer them
        self._number = 0
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._lock_file: int | None = None
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self.is_owner = False

    def start(self) -> None:
        """Find a place; returns when there is one (bounded)."""
        self._thread.start()
        self._settled.wait(ROLE_TIMEOUT)

    def stop(self) -> None:
        """Leave: the peers elect another owner at once."""
        self._stopping.set()
        self._close_listener()
        if owner := self._owner:
            owner.close()
        if self._thread.is_alive():
            self._thread.join(5)
        self._peers.stop()

    # a peer's side

    def call(self, name: str, timeout: float, gone: Gone = there, /, **arguments: Any) -> Any:
        """Have the owner do something; what it returned. Raises the GatewayError that it raised, and link-down where there is no owner.

        `gone`: whether nobody wants the answer any more; then client-gone is raised, and the owner told.
        """
        if not self._has_owner() or (owner := self._owner) is None:
            if self.is_owner:
                return self._peers.do(name, Wait(timeout, gone), arguments)
            raise GatewayError("link-down", "The process that owns the link is not there; try again later")
        return self._ask(owner, {"call": name, "arguments": arguments}, Wait(timeout, gone))

    def listen(self) -> None:
        """Hear from now on what happens (`tell`), as long as the owner is the same. Raises GatewayError."""
        if self._has_owner() and (owner := self._owner) is not None:
            self._ask(owner, {"call": LISTEN, "arguments": {}}, Wait(ROLE_TIMEOUT))

    def _has_owner(self) -> bool:
        """Whether there is an owner; waits for an election that is under way (bounded). A hub that does not run takes part in none."""
        return self._settled.is_set() or (self._thread.is_alive() and self._settled.wait(ROLE_TIMEOUT))

    def _ask(self, owner: Channel, message: Message, wait: Wait) -> Any:
        call = OneShot[Message]()
        with self._lock:
            self._number += 1
            number = self._number
            self._calls[number] = call
        try:
            owner.send(message | {"number": number})
            answer = call.wait(*wait)
            if answer is None:
                owner.send({"call": FORGET, "of": number})
        except OSError as e:
            raise GatewayError("link-down", NO_ANSWER) from e
        finally:
            self._calls.pop(number, None)
        if answer is None:
            raise GatewayError("client-gone") if wait.gone() else Unanswered(NO_ANSWER)
        if "ended" in answer:
            raise Unanswered(answer["ended"])
        if "error" in answer:
            raise GatewayError(*answer["error"])
        return answer["result"]

    def _serve_owner(self, owner: Channel, message: Message | None) -> None:
        """Take what the owner says, from `message` on, until the connection ends."""
        while message is not None:
            try:
                self._take(message)
            except Exception:  # one event that cannot be told must not cost all the others
                log.exception("what the process that owns the link says could not be taken")
            message = owner.receive()

    def _take(self, message: Message) -> None:
        if "event" in message:
            self._on_event(message["event"])
        elif call := self._calls.get(message["number"]):
            call.give(message)

    def _fail_calls(self) -> None:
        for call in list(self._calls.values()):
            call.give({"ended": "The process that owns the link has ended; try again later"})

    # the election

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._take_lock():
                    self._own()
                else:
                    self._follow()
            except Exception:
                log.exception("the process could not take its place; it tries again in %.0f s", AFTER_FAILURE)
                self._stopping.wait(AFTER_FAILURE)
            self._settled.clear()
            self._stopping.wait(RETRY)

    def _take_lock(self) -> bool:
        if self._lock_file is None:
            self._lock_file = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _free_lock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _follow(self) -> None:
        """Be a peer of whoever holds the lock, until it is gone."""
        try:
            owner = connect(self._folder / SOCKET)
        except OSError:  # it holds the lock, but does not listen yet
            return
        self._owner = owner  # `stop` may close it from here on
        try:
            if first := owner.receive():
                self._on_role(False)
                self._settled.set()
                self._serve_owner(owner, first)
        finally:
            self._settled.clear()
            self._owner = None
            owner.close()
            self._fail_calls()

    def _own(self) -> None:
        """Be the owner until `stop`."""
        listener = self._listener = listen(self._folder / SOCKET)
        try:
            self.is_owner = True
            self._on_role(True)
            log.info("process %d owns the link", os.getpid())
            self._settled.set()
            self._accept(listener)
        finally:
            self.is_owner = False
            self._close_listener()
            self._peers.close()
            self._free_lock()

    def _close_listener(self) -> None:
        if listener := self._listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
            self._listener = None

    # the owner's side

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError as e:
                if self._stopping.is_set() or e.errno in CLOSED:
                    return
                self._incidents.report(log, "hub-accept", "another process cannot be let in for now: %s", e)
                self._stopping.wait(AFTER_REFUSAL)
                continue
            self._peers.admit(sock)

    @property
    def has_company(self) -> bool:
        """Whether there is another process: an owner, or a peer."""
        return self._owner is not None or bool(self._peers)

    @property
    def has_listeners(self) -> bool:
        """Whether `tell` would reach anybody."""
        return self._peers.have_listeners

    def tell(self, event: Message) -> None:
        """Tell the peers that listen; the owner calls this."""
        self._peers.tell(event)

    def broadcast(self, event: Message) -> None:
        """Tell all peers; the owner calls this."""
        self._peers.tell_all(event)
