"""A group of processes in the memory of one: what a channel between processes has to do, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, cast

from drivers import StorageError
from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.processes.group import Member, Message
from xmpp_rest.processes.remote import Remote
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.waits import Wait, Waits


class MemoryGroup:
    """The first of those that share a list leads; each is a `group.ProcessGroup`. `broken`: calls are made, and not answered."""

    def __init__(self, processes: list[MemoryGroup] | None = None) -> None:
        self.processes = processes if processes is not None else []
        self.member: Member | None = None
        self.listening = False
        self.broken = False

    @property
    def id(self) -> str:
        return str(id(self))

    @property
    def is_leader(self) -> bool:
        return bool(self.processes) and self.processes[0] is self

    spans_nodes = False

    @property
    def is_speaker(self) -> bool:
        return self.is_leader

    @property
    def node_followers(self) -> list[str]:
        return self.followers

    @property
    def has_others(self) -> bool:
        return self in self.processes and len(self.processes) > 1

    @property
    def has_listeners(self) -> bool:
        return any(process.listening for process in self.processes)

    @property
    def count(self) -> int:
        return len(self.processes)

    @property
    def followers(self) -> list[str]:
        return [other.id for other in self.processes[1:]]

    def has_follower(self, process: str) -> bool:
        return any(other.id == process for other in self.processes[1:])

    def read_by(self, loop: SocketLoop) -> None:
        """There is nothing to read."""

    def start(self, member: Member) -> None:
        self.member = member
        self.processes.append(self)
        member.take_role(self.is_leader)

    def stop(self) -> None:
        """If it led, the next one leads, and all the others have another leader."""
        led = self.is_leader
        self.processes.remove(self)
        for process in self.processes:
            process.listening = False
            if led:
                process._member.take_role(process.is_leader)
            elif self.processes[0] is process:
                process._member.forget(self.id)

    def hand_over(self, seconds: float) -> None:
        """Nobody takes over here."""

    def wait_for_leader(self) -> bool:
        return bool(self.processes)

    def wait_for_speaker(self) -> bool:
        return bool(self.processes)

    def call_speaker(self, name: str, arguments: Message, wait: Wait) -> Any:
        return self.call(name, arguments, wait)

    def call(self, name: str, arguments: Message, wait: Wait) -> Any:
        if not self.processes:
            raise GatewayError("link-down")
        leader, arguments = self.processes[0]._member, _carried(arguments)
        if not leader.is_deferred(name):
            result = leader.perform(name, arguments)
        else:
            replied = OneShot[list[Any]]()

            def reply(result: Any) -> None:
                replied.give([result])

            end = leader.begin(name, arguments, reply)
            answer = replied.wait(*wait)
            if answer is None:
                if end is not None:
                    end()
                raise GatewayError("client-gone") if wait.gone() else Unanswered("")
            (result,) = answer
        if self.broken:
            raise Unanswered("")
        if isinstance(result, Exception):
            raise result
        return _carried(result)

    def begin(self, name: str, arguments: Message) -> Callable[[Wait], Any]:
        return lambda wait: self.call(name, arguments, wait)

    def listen(self) -> None:
        self.listening = True

    def broadcast(self, message: Message) -> None:
        for process in self.processes[1:]:
            process._member.hear(_carried(message))

    def tell_node(self, message: Message) -> None:
        self.broadcast(message)

    def publish(self, message: Message, audience: Collection[str] | None = None) -> None:
        for process in self.processes[1:]:
            if process.listening:
                process._member.hear(_carried(message))

    @property
    def _member(self) -> Member:
        assert self.member is not None
        return self.member


def _carried(value: Any) -> Any:
    return json.loads(json.dumps(value))


def alone() -> Remote:
    """A process that stands alone."""
    return Remote(MemoryGroup(), Waits(8), StorageError)


def processes(count: int) -> list[Remote]:
    """So many processes, the first of which leads; not started, so that services may register."""
    shared: list[MemoryGroup] = []
    return [Remote(MemoryGroup(shared), Waits(8), StorageError) for _ in range(count)]


def cut(remote: Remote) -> None:
    """From now on the calls of this process are not answered, though they are made."""
    cast(MemoryGroup, remote.group).broken = True
