"""The contract between remote calls and what carries them from process to process.

A group has one leader; the other processes are followers. `election.LocalGroup` is the group of the processes of one machine. Whatever is
carried is JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from xmpp_rest.errors import GatewayError
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.waits import Wait

Message = dict[str, Any]
Reply = Callable[[Any], None]
"""Gets the result of a call, or the exception, once. It does not wait."""
End = Callable[[], None]
"""Ends what a call has begun, since nobody waits for it any more; the call is answered then, if it was not before."""


class LeadsItself(GatewayError):
    """A follower wanted to call the leader, and has become the leader meanwhile; nothing was done."""

    def __init__(self) -> None:
        super().__init__("link-down", "This process leads by now; try again")


class Member(Protocol):
    """This process, as its group calls it. `remote.Remote` is one."""

    def take_role(self, is_leader: bool) -> None:
        """This process leads, or follows another leader, from now on. What is raised in a new leader has it tried again."""

    def is_deferred(self, name: str) -> bool:
        """Whether the call of this name is for `begin`, not for `perform`."""

    def perform(self, name: str, arguments: Message) -> Any:
        """Do what a follower calls for, on a thread that may wait; the result. Raises GatewayError."""

    def begin(self, name: str, arguments: Message, reply: Reply) -> End | None:
        """Begin what a follower calls for, without waiting. Raises GatewayError."""

    def hear(self, message: Message) -> None:
        """Take what the leader broadcasts or publishes; in its order, without waiting."""

    def forget(self, process: str) -> None:
        """The follower of this id has gone; told to the leader."""


class ProcessGroup(Protocol):
    """The processes of one gateway, as one of them sees it."""

    @property
    def id(self) -> str:
        """The id of this process; another one whenever it has another leader."""

    @property
    def is_leader(self) -> bool:
        """Whether this process leads; False before `start`."""

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

    def call(self, name: str, arguments: Message, wait: Wait) -> Any:
        """Have the leader do something; the result. Called by followers.

        Raises the GatewayError that the leader raised; LeadsItself; client-gone, as `wait` says; link-down, and then nothing was done;
        Unanswered.
        """

    def begin(self, name: str, arguments: Message) -> Callable[[Wait], Any]:
        """As `call`, but return once the leader is told; what is returned waits. Raises GatewayError: link-down; LeadsItself."""

    def listen(self) -> None:
        """Hear what the leader publishes, as long as it leads. Raises GatewayError."""

    def broadcast(self, message: Message) -> None:
        """Send a message to all followers; for the leader."""

    def publish(self, message: Message) -> None:
        """Send a message to the followers that listen; for the leader."""
