"""NodeMember: a process of a cluster, as the group of its node calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xmpp_rest.processes.group import End, Member, Message, Reply


class NodeMember:
    """A `group.Member` that stands before another one, which is to know of the role only once it is one in the cluster."""

    def __init__(self, member: Member, on_speak: Callable[[], None]) -> None:
        """`on_speak` is called once this process speaks for its node; what it raises has it tried again."""
        self._member = member
        self._on_speak = on_speak
        self.is_deferred = member.is_deferred
        self.is_of_node = member.is_of_node
        self.hear = member.hear
        self.forget = member.forget
        self.forget_on_node = member.forget_on_node

    def await_role(self) -> None:
        self._member.await_role()

    def take_role(self, is_leader: bool) -> None:
        """A process that follows its speaker has been let in, so that there is an owner."""
        if is_leader:
            self._on_speak()
        else:
            self._member.take_role(False)

    def perform(self, name: str, arguments: Message) -> Any:
        return self._member.perform(name, arguments)

    def begin(self, name: str, arguments: Message, reply: Reply) -> End | None:
        return self._member.begin(name, arguments, reply)
