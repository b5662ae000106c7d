"""Speaker: the process that speaks for its node: it owns, or follows the owner, for itself and for the other processes of the node."""

# many-machines §2, §5, §8

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable

from drivers.shared import EVERYBODY, Shared, channel_of
from xmpp_rest.cluster.call_times import CallTimes
from xmpp_rest.cluster.ear_thread import EarThread
from xmpp_rest.cluster.frames import CLOSED, NO_LINE, NODE, OPEN, PASSED, READY, Envelope, take_each
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.line import Line
from xmpp_rest.cluster.node_relay import NodeRelay
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.cluster.owner_line import OwnerLine
from xmpp_rest.cluster.protocol import PROTOCOL
from xmpp_rest.cluster.sender_thread import FrameSender
from xmpp_rest.cluster.served_nodes import ServedNodes
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.calls import Calls
from xmpp_rest.processes.group import Member, Message
from xmpp_rest.processes.server import JOIN, LEFT, Followers

log = logging.getLogger("xmpp_rest.server")

LOOKS = 12  # at the lines, in the time of a lease
OPEN_WAIT = 1.0  # seconds for the owner to answer that it serves this node
RETRY = 0.25  # seconds between two attempts to have it do so
AFTER_FAILURE = 5.0  # seconds after an error that somebody has to look at
END = 5.0  # seconds for the thread to end


class Speaker:
    """One life of it, from `start` to `stop`. Owned by ClusterGroup."""

    def __init__(
        self,
        domain: str,
        shared: Callable[[], Shared],
        keeper: LeaseKeeper,
        relay: NodeRelay,
        followers: Followers,
        lease: float,
        incidents: Incidents,
        on_answer: Callable[[float], None],
        clock: Callable[[], float],
        bell: threading.Event,
        member: Member,
    ) -> None:
        """`domain`: `[gateway] domain`, whose lease `keeper` looks after; `relay` is told where calls go; `lease`: seconds.

        `on_answer` is called with the seconds of each call to an owner on another node; `bell` is set when something was passed on to
        the owner of the domain.
        """
        self._domain = domain
        self._keeper = keeper
        self._relay = relay
        self._followers = followers
        self._lease = lease
        self._on_answer = on_answer
        self._clock = clock
        self._bell = bell
        self._member = member
        self._run_name = keeper.identity.run
        self._changed = threading.Event()  # something that the thread is to look at
        self._stopping = threading.Event()
        self._sender = FrameSender(shared, self._run_name)
        self._served = ServedNodes(domain, followers, self._sender, clock, self._changed.set)
        channels = (channel_of(domain, self._run_name), channel_of(domain, EVERYBODY))
        self._ear = EarThread(shared, channels, self._take, self._on_session, incidents)
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self.calls = Calls()
        """Those of this process."""
        self.id = secrets.token_hex(8)
        """That of this process; another one whenever it has another line."""
        keeper.on_change(self._changed.set)

    def start(self) -> None:
        """Look for the owner, or for the lease, from now on."""
        self._sender.start()
        self._ear.start()
        self._keeper.start()
        self._thread.start()

    def stop(self) -> None:
        """Follow nobody, and serve nobody (bounded). The lease, if it is still held, is released once that is so."""
        self._stopping.set()
        self._changed.set()
        if self._thread is not threading.current_thread():
            self._thread.join(END)
        self._followers.stop()
        self._keeper.stop()
        self._sender.put_single(channel_of(self._domain, EVERYBODY), {READY: True})  # they look who is to own next
        self._ear.stop()
        self._sender.stop()

    @property
    def runs(self) -> bool:
        """Whether there may yet be an owner."""
        return not self._stopping.is_set()

    def _pause(self, seconds: float) -> None:
        """Wait until something has changed, for so long at most."""
        self._changed.wait(seconds)
        self._changed.clear()

    # what is heard

    def _take(self, envelope: Envelope) -> None:
        if envelope.line == NO_LINE:
            take_each(envelope.frames, self._take_single)
            return
        if (line := self._relay.line) is not None and line.line.name == envelope.line:
            line.take(envelope)
        elif not self._served.take(envelope):  # it does not know yet that the line is over
            self._sender.put_single(channel_of(self._domain, envelope.run), {CLOSED: envelope.line})

    def _take_single(self, frame: Message) -> None:
        if READY in frame:
            self._keeper.look()
            self._changed.set()
        elif CLOSED in frame:
            name = str(frame[CLOSED])
            if (line := self._relay.line) is not None and line.line.name == name:
                line.line.end("the owner has ended it")
            self._served.is_closed_there(name)
        elif PASSED in frame:
            self._bell.set()

    def _on_session(self, listens: bool) -> None:
        """What was said while nothing was heard is lost."""
        if not listens:
            self._end_lines("the session with the database is over")
        self._changed.set()

    def _end_lines(self, reason: str) -> None:
        if (line := self._relay.line) is not None:
            line.line.end(reason)
        self._served.end_all(reason)

    def _hear(self, message: Message) -> None:
        """Take what the owner, on another node, says to this process. Raises whatever goes wrong."""
        if "message" in message:
            self._member.hear(message["message"])
        elif "leaving" in message:
            self._leave()
        else:
            self.calls.answer(message)

    def _leave(self) -> None:
        """Call this owner no more: another one follows."""
        self._relay.settled.clear()
        if (line := self._relay.line) is not None:
            try:
                line.send({"call": LEFT}, last=True)
            except OSError as e:
                line.line.end(str(e))

    # the place of this node

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._take_place()
            except Exception:
                log.exception("the node could not take its place; it tries again in %.0f s", AFTER_FAILURE)
                self._stopping.wait(AFTER_FAILURE)

    def _take_place(self) -> None:
        owner = self._keeper.owner
        if self._keeper.holds:
            self._lead()
        elif owner is not None and owner.run != self._run_name and self._ear.listens:
            self._follow(owner)
            self._changed.clear()
            self._pause(RETRY)
        else:
            self._pause(self._lease)

    def _lead(self) -> None:
        """Own, and serve the other nodes, until that is over. Raises what keeps this process from it."""
        self._relay.leads()
        self._member.take_role(True)
        owner = self._keeper.owner
        log.info("process %d leads and holds the link of %s (epoch %d)", os.getpid(), self._domain, owner.epoch if owner else 0)
        self._relay.settled.set()
        self._followers.let_in()
        self._served.open(self._member)
        self._sender.put_single(channel_of(self._domain, EVERYBODY), {READY: True})
        try:
            while not self._stopping.is_set() and self._keeper.owns:
                self._served.look(self._lease, is_deaf=self._ear.is_taking)
                self._pause(self._lease / LOOKS)
        finally:
            self._relay.ends()
            self._followers.shut_out()
            self._served.close()
        self._stopping.wait()

    def _follow(self, owner: LeaseOwner) -> None:
        """Follow this owner for as long as the line to it lasts; return soon if it does not serve this node."""
        ear = channel_of(self._domain, owner.run)
        ends = Line(secrets.token_hex(8), ear, self._sender, self._clock, self._changed.set)
        line = OwnerLine(ends, self._followers, self._hear, self._changed.set, CallTimes(self._on_answer))
        self._relay.follows(line)
        try:
            line.line.send({OPEN: PROTOCOL, NODE: self._keeper.identity.id})
            self._await_opening(line)
            if line.is_open:
                self._stay(line, owner)
        finally:
            was_open = not line.line.has_ended
            line.line.end("this node follows another owner")
            self._relay.ends()
            if was_open:
                self._sender.put_single(ear, {CLOSED: line.line.name})
            self.calls.fail()
            self._followers.shut_out()
            log.debug("node %s follows no more: %s", self._keeper.identity.node, line.line.end_reason)

    def _await_opening(self, line: OwnerLine) -> None:
        until = self._clock() + OPEN_WAIT
        while not (line.is_open or line.line.has_ended or self._stopping.is_set()) and (left := until - self._clock()) > 0:
            self._pause(left)

    def _stay(self, line: OwnerLine, owner: LeaseOwner) -> None:
        self.id = secrets.token_hex(8)
        line.send({"call": JOIN, "id": self.id})
        self._member.take_role(False)
        self._relay.settled.set()
        self._followers.let_in()
        while not (self._stopping.is_set() or line.line.has_ended or self._is_another(owner)):
            line.look(self._lease, is_deaf=self._ear.is_taking)
            self._pause(self._lease / LOOKS)

    def _is_another(self, owner: LeaseOwner) -> bool:
        """Whether another one is known to own. While nobody is, the line shows whether the owner lives."""
        present = self._keeper.owner
        return present is not None and (present.run, present.epoch) != (owner.run, owner.epoch)
