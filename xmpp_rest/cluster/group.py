"""ClusterGroup: the processes of all nodes that are one gateway, as one of them sees it (many-machines §2)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from drivers.shared import Shared
from xmpp_rest.cluster.call_times import untimed
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.node_member import NodeMember
from xmpp_rest.cluster.node_relay import NO_OWNER, NodeRelay
from xmpp_rest.cluster.owner_line import OwnerLine
from xmpp_rest.cluster.speaker import Speaker
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.election import RETRY, ROLE_TIMEOUT, LocalGroup
from xmpp_rest.processes.group import LeadsItself, Member, Message
from xmpp_rest.processes.server import LISTEN, Followers
from xmpp_rest.request_notes import has_waited_in_vain, note_vain_wait
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.tasks import pause
from xmpp_rest.threads.waits import Wait


class ClusterGroup:
    """A `group.ProcessGroup`, whose leader is the speaker of the node that owns. Owned by Remote.

    A process that has led leads until `stop`: once the lease is lost, another ClusterGroup goes on.
    """

    spans_nodes = True

    def __init__(
        self,
        folder: Path,
        domain: str,
        shared: Callable[[], Shared],
        keeper: LeaseKeeper,
        lease: float,
        incidents: Incidents,
        on_answer: Callable[[float], None] = untimed,
        clock: Callable[[], float] = time.monotonic,
        bell: threading.Event | None = None,
    ) -> None:
        """`folder`: the data folder of this node; `domain`: `[gateway] domain`, whose lease `keeper` looks after; `lease`: in seconds.

        `on_answer` is called with the seconds of each call from this node to an owner on another one. `bell` is set when another owner
        has passed something on to that of this domain.
        """
        self._relay = NodeRelay()
        self._followers = Followers(self._relay)
        self._local = LocalGroup(folder, self._followers)
        rings, parts = bell or threading.Event(), (keeper, self._relay, self._followers)
        self._make_speaker = partial(Speaker, domain, shared, *parts, lease, incidents, on_answer, clock, rings)
        self._speaker: Speaker | None = None
        self._ends_at = float("inf")  # monotonic time: nothing waits for an owner after that

    # who is there

    @property
    def id(self) -> str:
        return self._speaker.id if self._speaker is not None else self._local.id

    @property
    def is_leader(self) -> bool:
        return self._relay.is_leader

    @property
    def is_speaker(self) -> bool:
        return self._local.is_leader

    @property
    def has_others(self) -> bool:
        return self._relay.line is not None or self._local.has_others

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
        return self._followers.ids_on_node

    def has_follower(self, process: str) -> bool:
        return self._followers.has(process)

    # the life of this process

    def read_by(self, loop: SocketLoop) -> None:
        self._local.read_by(loop)

    def start(self, member: Member) -> None:
        member.await_role()
        until = time.monotonic() + ROLE_TIMEOUT
        self._local.start(NodeMember(member, partial(self._speak, member)))
        self._wait_for_leader(until)

    def _speak(self, member: Member) -> None:
        if self._speaker is None:
            self._speaker = self._make_speaker(member)
            self._speaker.start()

    def stop(self) -> None:
        if self._speaker is not None:
            self._speaker.stop()
        self._local.stop()

    def hand_over(self, seconds: float) -> None:
        """What this process does before it ends waits for an owner no longer than so."""
        self._ends_at = time.monotonic() + seconds
        self._local.hand_over(seconds)

    def _deadline(self) -> float:
        """Until when a call that begins now waits for an owner: a request that makes several calls waits for all of them together."""
        return min(time.monotonic() + (0.0 if has_waited_in_vain() else ROLE_TIMEOUT), self._ends_at)

    # calls and messages

    def wait_for_speaker(self) -> bool:
        return self._local.wait_for_speaker()

    def has_leader(self) -> bool:
        """As `wait_for_leader`, without waiting."""
        return self._relay.settled.is_set() or self._has_leader(0.0)

    def wait_for_leader(self) -> bool:
        return self._relay.settled.is_set() or self._wait_for_leader(self._deadline())

    def _wait_for_leader(self, until: float) -> bool:
        """As `wait_for_leader`, until then."""
        is_there = self._has_leader(until)
        if not is_there:
            note_vain_wait()
        return is_there

    def _has_leader(self, until: float) -> bool:
        """Of a process of the node the speaker lets it in once there is one."""
        if self._speaker is None and not self._local.wait_for_leader(max(0.0, until - time.monotonic())):
            return False
        if (speaker := self._speaker) is None:
            return True
        return self._relay.settled.is_set() or (speaker.runs and self._relay.settled.wait(max(0.0, until - time.monotonic())))

    def call(self, name: str, arguments: Message, wait: Wait) -> Any:
        return self.begin(name, arguments)(wait)

    def call_speaker(self, name: str, arguments: Message, wait: Wait) -> Any:
        return self._local.call_speaker(name, arguments, wait)

    def begin(self, name: str, arguments: Message) -> Callable[[Wait], Any]:
        until = self._deadline()
        while self._wait_for_leader(until):
            if self.is_leader:
                raise LeadsItself
            try:
                if (begun := self._begin(name, arguments)) is not None:
                    return begun
            except LeadsItself:  # this process has begun to speak for its node, which is not to lead
                continue
            except GatewayError:  # the owner has ended, and was told nothing
                if time.monotonic() > until:
                    raise
            if time.monotonic() > until:
                break
            pause(RETRY)
        raise GatewayError("link-down", NO_OWNER)

    def _begin(self, name: str, arguments: Message) -> Callable[[Wait], Any] | None:
        """Have the owner told; None: there is none any more. Raises GatewayError, LeadsItself."""
        if (speaker := self._speaker) is None:
            return self._local.begin(name, arguments)
        line = self._line
        return speaker.calls.begin(line, {"call": name, "arguments": arguments}) if line is not None else None

    @property
    def _line(self) -> OwnerLine | None:
        """To the owner, as long as it is to be called."""
        return self._relay.line if self._relay.settled.is_set() else None

    def listen(self) -> None:
        if (speaker := self._speaker) is None:
            self._local.listen()
        elif self.wait_for_leader() and (line := self._line) is not None:
            speaker.calls.ask(line, {"call": LISTEN}, Wait(ROLE_TIMEOUT))

    def broadcast(self, message: Message) -> None:
        self._followers.broadcast(message)

    def tell_node(self, message: Message) -> None:
        self._followers.broadcast_on_node(message)

    def publish(self, message: Message, audience: Collection[str] | None = None) -> None:
        self._followers.publish(message, audience)
