"""NodeRelay: where the calls of a node's processes go now: to the owner over a line, nowhere yet, or to this process, which owns."""

from __future__ import annotations

from xmpp_rest.cluster.owner_line import OwnerLine
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.election import ROLE_TIMEOUT
from xmpp_rest.processes.group import FollowerChannel, Message
from xmpp_rest.threads.future import Gate

NO_OWNER = "There is no owning node that can be called; try again later"


class NodeRelay:
    """A `group.Relay`. Set by Speaker; any thread may ask."""

    def __init__(self) -> None:
        self.settled = Gate()
        """There is an owner, which this process is or can call."""
        self.line: OwnerLine | None = None
        """To the owner, if that is another node."""
        self.is_leader = False

    def leads(self) -> None:
        """This process owns."""
        self.is_leader = True

    def follows(self, line: OwnerLine) -> None:
        """Another one does."""
        self.line = line

    def ends(self) -> None:
        """There is no owner to be called."""
        self.settled.clear()
        self.line = None

    @property
    def passes_on(self) -> bool:
        return not self.is_leader

    def pass_on(self, channel: FollowerChannel, message: Message) -> None:
        if (line := self.line) is None:
            raise GatewayError("link-down", NO_OWNER)
        line.pass_on(channel, message)

    def has_left(self, channel: FollowerChannel) -> None:
        if (line := self.line) is not None:
            line.has_left(channel)

    @property
    def can_pass_on(self) -> bool:
        return (line := self.line) is not None and line.is_open

    def wait(self) -> bool:
        return self.settled.wait(ROLE_TIMEOUT) and self.can_pass_on
