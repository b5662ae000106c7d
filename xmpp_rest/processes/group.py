"""The contract between remote calls and what carries them from process to process.

A group has one leader; the other processes are followers. `election.LocalGroup` is the group of the processes of one machine, a *node*.
Where several nodes are one gateway (`cluster.group.ClusterGroup`) one of them has the leader. In each node one process is the *speaker*,
through which the others of its node reach the leader; with one machine that is the leader itself. Whatever is carried is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from xmpp_rest.errors import GatewayError
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.waits import Wait

Message = dict[str, Any]
Reply = Callable[[Any], None]
"""Gets the result of a call, or the exception, once. It does not wait."""
End = Callable[[], None]
"""Ends what a call has begun, since nobody waits for it any more; the call is answered then, if it was not before."""


class CallChannel(Protocol):
    """What carries calls to the leader, or the leader's answers and messages to a follower."""

    def send(self, message: Message, *, last: bool = False) -> None:
        """Send it; nothing can be sent after the `last` one. Raises OSError."""


class ClosableChannel(CallChannel, Protocol):
    """One that can be ended."""

    def close(self) -> None:
        """End it; what is sent after that raises OSError."""


class FollowerChannel(ClosableChannel, Protocol):
    """A follower's channel, as the leader has it."""

    @property
    def trunk(self) -> ClosableChannel:
        """What carries a message once for all followers that are behind it; this channel itself where each gets its own."""

    def send_now(self, message: Message) -> bool:
        """As `send` if that can be done without waiting; False: nothing was sent. Raises OSError."""


class Relay(Protocol):
    """What a speaker that does not lead does with the calls of its node's processes: it passes them on to the leader."""

    @property
    def passes_on(self) -> bool:
        """Whether another node may lead, so that calls go there."""

    @property
    def can_pass_on(self) -> bool:
        """Whether there is a leader to pass things on to."""

    def wait(self) -> bool:
        """Wait for there to be one (bounded); whether there is."""

    def pass_on(self, channel: FollowerChannel, message: Message) -> None:
        """Pass it on, without waiting. Raises GatewayError, and then it was not."""

    def has_left(self, channel: FollowerChannel) -> None:
        """This process has gone, or ends."""


class LeadsItself(GatewayError):
    """A follower wanted to call the leader, and has become the leader meanwhile; nothing was done."""

    def __init__(self) -> None:
        super().__init__("link-down", "This process leads by now; try again")


class Member(Protocol):
    """This process, as its group calls it. `remote.Remote` is one."""

    def await_role(self) -> None:
        """Another process may lead, which is not known yet: calls wait from now on. Called before the first `take_role`, if at all."""

    def take_role(self, is_leader: bool) -> None:
        """This process leads, or follows another leader, from now on. What is raised in a new leader has it tried again."""

    def is_deferred(self, name: str) -> bool:
        """Whether the call of this name is for `begin`, not for `perform`."""

    def is_of_node(self, name: str) -> bool:
        """Whether the speaker of each node answers the call of this name, not the leader alone."""

    def perform(self, name: str, arguments: Message) -> Any:
        """Do what a follower calls for, on a thread that may wait; the result. Raises GatewayError."""

    def begin(self, name: str, arguments: Message, reply: Reply) -> End | None:
        """Begin what a follower calls for, without waiting. Raises GatewayError."""

    def hear(self, message: Message) -> None:
        """Take what the leader broadcasts or publishes; in its order, without waiting."""

    def forget(self, process: str) -> None:
        """The follower of this id has gone; told to the leader."""

    def forget_on_node(self, process: str) -> None:
        """The process of this id, on the node of this one, has gone; told to the speaker."""


class ProcessGroup(Protocol):
    """The processes of one gateway, as one of them sees it."""

    @property
    def id(self) -> str:
        """The id of this process; another one whenever it has another leader."""

    @property
    def is_leader(self) -> bool:
        """Whether this process leads; False before `start`."""

    @property
    def is_speaker(self) -> bool:
        """Whether this process speaks for its node; False before `start`."""

    @property
    def spans_nodes(self) -> bool:
        """Whether the leader may be on another node."""

    @property
    def has_others(self) -> bool:
        """Whether there is another process."""

    @property
    def has_listeners(self) -> bool:
        """Whether `publish` would reach any process; for the leader."""

    @property
    def count(self) -> int:
        """How many processes there are, this one included; for the leader."""

    @property
    def followers(self) -> list[str]:
        """The ids of the followers that are connected; for the leader."""

    @property
    def node_followers(self) -> list[str]:
        """The ids of the other processes of this node that are connected; for the speaker."""

    def has_follower(self, process: str) -> bool:
        """Whether the follower of this id is connected; for the leader. False from before `Member.forget` is called with it."""

    def read_by(self, loop: SocketLoop) -> None:
        """Have this event loop read what other processes say, for connections from now on; without one, a thread for each does."""

    def start(self, member: Member) -> None:
        """Join the group; returns once there is a leader (bounded)."""

    def stop(self) -> None:
        """Leave the group: another process leads, if this one did."""

    def hand_over(self, seconds: float) -> None:
        """Have followers wait for the next leader, and answer what they have called for (bounded). For a leader that is about to stop."""

    def wait_for_leader(self) -> bool:
        """Whether there is a leader; waits for an election that is under way (bounded)."""

    def wait_for_speaker(self) -> bool:
        """Whether there is a speaker; waits as `wait_for_leader`, but not for there to be a leader."""

    def call(self, name: str, arguments: Message, wait: Wait) -> Any:
        """Have the leader do something; the result. Called by followers.

        Raises the GatewayError that the leader raised; LeadsItself; client-gone, as `wait` says; link-down, and then nothing was done;
        Unanswered.
        """

    def begin(self, name: str, arguments: Message) -> Callable[[Wait], Any]:
        """As `call`, but return once the leader is told; what is returned waits. Raises GatewayError: link-down; LeadsItself."""

    def call_speaker(self, name: str, arguments: Message, wait: Wait) -> Any:
        """As `call`, of the speaker of this node."""

    def listen(self) -> None:
        """Hear what the leader publishes, as long as it leads. Raises GatewayError."""

    def broadcast(self, message: Message) -> None:
        """Send a message to all followers; for the leader."""

    def tell_node(self, message: Message) -> None:
        """Send a message to the other processes of this node; for the speaker."""

    def publish(self, message: Message, audience: Collection[str] | None = None) -> None:
        """Send a message to the followers that listen; for the leader. `audience`: other nodes get it only if one of these ids is there."""
