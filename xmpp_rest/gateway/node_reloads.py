"""Reads the configuration again on all machines, each process its own file, and tells what came of it (many-machines §9)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.timers import Timer
from xmpp_rest.threads.waits import Wait

ASKED = "reload everywhere"  # the broadcast
PATIENCE = 5.0  # seconds for all of them
SILENT = f"it did not answer within {PATIENCE:.0f} s; what it has in force is not known"
UNNAMED = "a node that has just joined"


class Reloaded(NamedTuple):
    """What came of it in a process of this node. `error`: why nothing was changed there, "": it was; `waiting`: what needs a restart."""

    node: str
    error: str
    waiting: list[str]

    def is_known(self, waiting: Sequence[str]) -> bool:
        """Whether all is in force but what is known to need a restart."""
        return not self.error and set(self.waiting) <= set(waiting)

    def sentence(self) -> str:
        return f"node {self.node}: {self.error or 'in need of a restart: ' + ', '.join(self.waiting)}"


class _Gathering:
    """The answers to one question, and those who have not answered yet. Safe to be used by several threads."""

    def __init__(self, awaited: Iterable[str], give: Callable[[list[Reloaded]], object], node_of: Callable[[str], str]) -> None:
        """`give` is called once, with what is known: when all have answered, or at the `end`."""
        self._awaited = set(awaited)
        self._give = give
        self._node_of = node_of
        self._answers: list[Reloaded] = []
        self._has_ended = False
        self._lock = threading.Lock()

    def answered(self, process: str, answer: Reloaded | None) -> None:
        """A process has answered; None: it has gone."""
        with self._lock:
            if process in self._awaited and answer is not None:
                self._answers.append(answer)
            self._awaited.discard(process)
            is_whole = not self._awaited
        if is_whole:
            self.end()

    def end(self) -> None:
        """Nobody else is waited for."""
        with self._lock:
            ended, self._has_ended = self._has_ended, True
            answers = self._answers + [Reloaded(node, SILENT, []) for node in sorted({self._node_of(each) for each in self._awaited})]
        if not ended:
            self._give(answers)


class NodeReloads:
    """Safe to be used by several threads. The leader asks all processes, on behalf of the one that was asked."""

    def __init__(self, node: str, reload: Callable[[], Reloaded], remote: Remote) -> None:
        """`node`: the name of this one; `reload` reads the configuration of this process. It raises nothing."""
        self._node = node
        self._reload = reload
        self._nodes: dict[str, str] = {}  # process → node, of those that have said so to this process, the leader
        self._under_way: dict[int, _Gathering] = {}
        self._number = 0
        self._lock = threading.Lock()  # guards the two above
        self._remote = remote
        remote.offer(self)
        remote.on_broadcast(ASKED, self._asked)
        remote.on_left(self._left)
        remote.on_role(self._take_role)

    def elsewhere(self, known: Sequence[str]) -> list[str]:
        """Have all other processes reload; a sentence for each node where not all is in force. Raises GatewayError: link-down.

        `known`: what needs a restart, as is said anyway.
        """
        answers = self.ask(self._remote.group.id, Wait(PATIENCE))
        return sorted({answer.sentence() for answer in answers if not answer.is_known(known)})

    # -- in the leader

    def _ask_deferred(self, reply: Reply, asker: str, wait: Wait) -> End:
        timers = self._remote.timers

        def give(answers: list[Reloaded]) -> None:
            timers.cancel(timer)
            reply(answers)

        def end() -> None:
            gathering.end()

        timer = Timer(end)
        number, gathering = self._begin(asker, give)
        timers.set(timer, wait.seconds)
        self._remote.pool.submit(partial(self._tell, number, asker))
        return gathering.end

    @on_leader(deferred=_ask_deferred, repeatable=True)
    def ask(self, asker: str, wait: Wait) -> list[Reloaded]:
        """Have every process but `asker` reload; what came of it in each, and which nodes have not answered. Raises GatewayError."""
        gathered: OneShot[list[Reloaded]] = OneShot()
        number, gathering = self._begin(asker, gathered.give)
        self._tell(number, asker)
        if gathered.wait(*wait) is None:
            gathering.end()
        return gathered.value or []

    def _begin(self, asker: str, give: Callable[[list[Reloaded]], object]) -> tuple[int, _Gathering]:
        group = self._remote.group

        def done(answers: list[Reloaded]) -> None:
            self._under_way.pop(number, None)
            give(answers)

        gathering = _Gathering({group.id, *group.followers} - {asker}, done, self._node_of)
        with self._lock:
            self._number = number = self._number + 1
            self._under_way[number] = gathering
        return number, gathering

    def _tell(self, number: int, asker: str) -> None:
        self._remote.tell_others(ASKED, number=number, asker=asker)
        self._asked(number, asker)
        if gathering := self._under_way.get(number):
            gathering.answered(asker, None)  # where there is nobody else, this is the end

    def _node_of(self, process: str) -> str:
        return self._node if process == self._remote.group.id else self._nodes.get(process, UNNAMED)

    @on_leader(repeatable=True)
    def answer(self, number: int, process: str, answer: Reloaded) -> None:
        """Take the answer of a process."""
        if gathering := self._under_way.get(number):
            gathering.answered(process, answer)

    @on_leader(repeatable=True)
    def name(self, process: str, node: str) -> None:
        """Note of which node a process is."""
        if self._remote.group.has_follower(process):
            self._nodes[process] = node

    def _left(self, process: str) -> None:
        self._nodes.pop(process, None)
        for gathering in list(self._under_way.values()):
            gathering.answered(process, None)

    # -- in every process

    def _asked(self, number: int, asker: str) -> None:
        own = self._remote.group.id
        if asker != own:
            self.answer(number, own, self._reload())

    def _take_role(self, leads: bool) -> None:
        self._nodes.clear()
        if not leads:
            self._remote.pool.submit(self._introduce)

    def _introduce(self) -> None:
        """Say of which node this process is. Where that fails, it is named as one that has just joined."""
        with suppress(GatewayError):
            self.name(self._remote.group.id, self._node)
