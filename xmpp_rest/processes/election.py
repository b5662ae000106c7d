"""Leader election by a lock file, and the group of the processes of one machine (decision 0007).

The first process to lock a file in the data folder leads and listens on a Unix socket; the others follow: they are connected to it. When
the leader dies the kernel frees the lock, the followers notice the end of their connection, and one of them leads next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.calls import Calls
from xmpp_rest.processes.channel import SOCKET, Channel, connect, listen
from xmpp_rest.processes.group import LeadsItself, Member, Message
from xmpp_rest.processes.server import JOIN, LEFT, LISTEN, WELCOME, Followers
from xmpp_rest.threads.future import Gate
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.tasks import pause
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.server")

LOCK = "owner.lock"  # named so since the first version; two versions must not both lead while one replaces the other
RETRY = 0.05  # seconds between two attempts of a follower to lock the file or to reach the leader
AFTER_FAILURE = 5.0  # seconds after an error that somebody has to look at
AFTER_REFUSAL = 0.1  # seconds after a follower that there was no descriptor for
CLOSED = (errno.EBADF, errno.EINVAL)  # of accept(): somebody has closed the listener
ROLE_TIMEOUT = 10.0  # seconds that a call waits for there to be a leader


class LocalGroup:
    """The processes over one data folder, as one of them sees it; see `group.ProcessGroup`. Owned by Remote, or by ClusterGroup."""

    spans_nodes = False

    def __init__(self, folder: Path, followers: Followers | None = None) -> None:
        """`followers`: that are connected to this process, should it lead; those of a ClusterGroup know other nodes as well."""
        self._folder = folder
        self._followers = Followers() if followers is None else followers
        self._speaks = followers is not None  # for its node, whether or not that leads
        self._calls = Calls()
        self._incidents = Incidents()
        self._stopping = threading.Event()
        self._connected = Gate()  # there is a process that leads, as this one does, or that this one is connected to
        self._settled = Gate()  # there is a leader that this process is, or can call
        self._leader: Channel | None = None
        """Whom this process calls."""
        self._channel: Channel | None = None  # the same; also once it calls no more, and waits for answers
        self._listener: socket.socket | None = None
        self._lock_file: int | None = None
        self._thread: threading.Thread | None = None
        self._loop: SocketLoop | None = None
        self.is_leader = False
        self.id = secrets.token_hex(8)

    @property
    def is_speaker(self) -> bool:
        return self.is_leader

    @property
    def has_others(self) -> bool:
        return self._channel is not None or bool(self._followers)

    @property
    def has_listeners(self) -> bool:
        return self._followers.have_listeners

    @property
    def count(self) -> int:
        return 1 + self._followers.count

    @property
    def followers(self) -> list[str]:
        return self._followers.ids

    @property
    def node_followers(self) -> list[str]:
        return self._followers.ids

    def has_follower(self, process: str) -> bool:
        return self._followers.has(process)

    def read_by(self, loop: SocketLoop) -> None:
        self._loop = loop

    def start(self, member: Member) -> None:
        self._thread = threading.Thread(target=self._run, args=(member,), name="group", daemon=True)
        self._thread.start()
        self._settled.wait(ROLE_TIMEOUT)

    def stop(self) -> None:
        self._stopping.set()
        self._close_listener()
        if leader := self._channel:
            leader.close()
        if self._thread is not None:
            self._thread.join(5)
        self._followers.stop()

    def hand_over(self, seconds: float) -> None:
        if self.is_leader:
            self._followers.hand_over(seconds)

    # calls and messages

    def wait_for_leader(self, seconds: float | None = None) -> bool:
        """`seconds`: at most; None: ROLE_TIMEOUT."""
        return self._wait_for(self._settled, seconds)

    def wait_for_speaker(self) -> bool:
        return self._wait_for(self._connected)

    def _wait_for(self, gate: Gate, seconds: float | None = None) -> bool:
        """A process that has not begun, or has ended, takes part in no election."""
        return gate.is_set() or (self._runs and gate.wait(ROLE_TIMEOUT if seconds is None else seconds))

    @property
    def _runs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def call(self, name: str, arguments: Message, wait: Wait) -> Any:
        return self.begin(name, arguments)(wait)

    def call_speaker(self, name: str, arguments: Message, wait: Wait) -> Any:
        return self._begin(self._connected, name, arguments)(wait)

    def begin(self, name: str, arguments: Message) -> Callable[[Wait], Any]:
        return self._begin(self._settled, name, arguments)

    def _begin(self, gate: Gate, name: str, arguments: Message) -> Callable[[Wait], Any]:
        until = time.monotonic() + ROLE_TIMEOUT
        while self._wait_for(gate):
            if self.is_leader:
                raise LeadsItself
            if (leader := self._leader) is not None:
                try:
                    return self._calls.begin(leader, {"call": name, "arguments": arguments})
                except GatewayError:  # it has ended, and was told nothing
                    if time.monotonic() > until:
                        raise
            if time.monotonic() > until:
                break
            pause(RETRY)
        raise GatewayError("link-down", "There is no leading process; try again later")

    def listen(self) -> None:
        if self.wait_for_leader() and (leader := self._leader) is not None:
            self._calls.ask(leader, {"call": LISTEN}, Wait(ROLE_TIMEOUT))

    def broadcast(self, message: Message) -> None:
        self._followers.broadcast(message)

    def tell_node(self, message: Message) -> None:
        self._followers.broadcast(message)

    def publish(self, message: Message, audience: Collection[str] | None = None) -> None:
        self._followers.publish(message, audience)

    # the election

    def _run(self, member: Member) -> None:
        while not self._stopping.is_set():
            try:
                if self._take_lock():
                    self._lead(member)
                else:
                    self._follow(member)
            except Exception:
                log.exception("the process could not take its place; it tries again in %.0f s", AFTER_FAILURE)
                self._stopping.wait(AFTER_FAILURE)
            self._settled.clear()
            self._connected.clear()
            self._stopping.wait(RETRY)

    def _take_lock(self) -> bool:
        if self._lock_file is None:
            self._lock_file = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _follow(self, member: Member) -> None:
        """Follow the process that holds the lock, until it ends."""
        try:
            leader = connect(self._folder / SOCKET)
        except OSError:  # it holds the lock, but does not listen yet
            return
        self._leader = self._channel = leader  # `stop` may close it from here on
        self._connected.set()
        try:
            if first := self._await_welcome(leader, member):
                self.id = secrets.token_hex(8)
                with contextlib.suppress(OSError):  # it has just ended, as is noticed below
                    leader.send({"call": JOIN, "id": self.id})
                member.take_role(False)
                self._settled.set()
                self._hear(member, first)
                leader.each(partial(self._hear, member), self._loop)
        finally:
            self._settled.clear()
            self._connected.clear()
            self._leader = self._channel = None
            leader.close()
            self._calls.fail()

    def _await_welcome(self, leader: Channel, member: Member) -> Message | None:
        """The first message for a process that takes part; None: it has ended. What comes before is answers to `call_speaker`."""
        while (message := leader.receive()) is not None:
            if message == WELCOME or "message" in message:
                return message
            self._hear(member, message)
        return None

    def _hear(self, member: Member, message: Message) -> None:
        """Take what the leader says."""
        try:
            if "message" in message:
                member.hear(message["message"])
            elif "leaving" in message:
                self._leave()
            else:
                self._calls.answer(message)
        except Exception:  # one message that cannot be taken must not cost all the others
            log.exception("a message of the leading process could not be handled")

    def _leave(self) -> None:
        """Call this leader no more: another one follows."""
        self._settled.clear()
        self._leader = None
        if channel := self._channel:
            with contextlib.suppress(OSError):
                channel.send({"call": LEFT}, last=True)

    def _lead(self, member: Member) -> None:
        """Lead until `stop`."""
        listener = self._listener = listen(self._folder / SOCKET)
        try:
            self.is_leader = True
            self._connected.set()
            member.take_role(True)
            if not self._speaks:
                log.info("process %d leads and holds the link", os.getpid())
            self._settled.set()
            self._accept(listener, member)
        finally:
            self.is_leader = False
            self._close_listener()
            self._followers.close()
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def _close_listener(self) -> None:
        if listener := self._listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket, member: Member) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError as e:
                if self._stopping.is_set() or e.errno in CLOSED:
                    return
                self._incidents.report(log, "process-accept", "another process cannot be let in for now: %s", e)
                self._stopping.wait(AFTER_REFUSAL)
                continue
            self._followers.admit(sock, member, self._loop)
