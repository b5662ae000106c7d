"""Several nodes, the database and the XMPP server that they have in common, and who owns the gateway's domain."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import urllib3

from tests.live.conftest import ONE_STREAM
from tests.live.gateway import Sections
from tests.live.xmppserver import XMPPServer

from .databases import Databases
from .node import Node


class Machines:
    """Made by a fixture, which also makes the databases and the server. `close()` when done."""

    def __init__(self, folder: Path, databases: Databases, server: XMPPServer, sections: Sections = ONE_STREAM) -> None:
        self.databases = databases
        self.server = server
        self.nodes: list[Node] = []
        self._folder = folder
        self._sections = sections

    def make(self, name: str, sections: Sections | None = None) -> Node:
        """A further node, which is not yet started."""
        more = sections or {}
        both = {section: {**self._sections.get(section, {}), **more.get(section, {})} for section in {*self._sections, *more}}
        node = Node(self._folder / name, self.databases, self.server.component_port, both)
        self.nodes.append(node)
        return node

    def add(self, name: str) -> Node:
        """A further node, which runs."""
        node = self.make(name)
        node.start()
        return node

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def tail(self) -> str:
        """The end of each log, for the report of a failed test."""
        return "\n\n".join(f"-- {node.name}\n{node.tail()}" for node in self.nodes)

    def owner(self, timeout: float = 40.0, besides: Node | None = None) -> Node:
        """The node that owns, once there is one other than `besides`. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            for node in self.nodes:
                if node is not besides and node.owns():
                    return node
            if time.monotonic() > deadline:
                raise TimeoutError(self.tail())
            time.sleep(0.02)

    def remove(self, node: Node) -> None:
        """End it, and know it no more."""
        node.stop()
        node.close()
        self.nodes.remove(node)

    def other(self, than: Node) -> Node:
        """One that does not own."""
        return next(node for node in self.nodes if node is not than)

    def mend(self) -> None:
        """Everything runs and is connected again, whatever a test has done."""
        for node in self.nodes:
            node.thaw()
            if any(not way.up or way.held for way in node.ways):
                node.join()
        for server in self.databases.servers:
            if server.process is None and server is self.databases.primary:
                server.start()
        if self.databases.standby is not None:
            self.databases.follow()
        if not self.server.running:
            self.server.start()
        for node in self.nodes:
            if not node.running:
                node.start()
        self.settle()

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until each node can call the owner, and what was accepted is with the server. Raises TimeoutError, with the logs."""
        self._wait(lambda: all(_holds(node.rests) for node in self.nodes), timeout)

    def wait_known(self, node: Node, timeout: float = 40.0) -> None:
        """Until it takes part, and does not own. Raises TimeoutError, with the logs."""
        self._wait(lambda: _holds(node.serves) and not node.owns(), timeout)

    def _wait(self, wanted: Callable[[], bool], timeout: float) -> None:
        try:
            until(wanted, timeout)
        except TimeoutError:
            raise TimeoutError(self.tail()) from None


def until(wanted: Callable[[], bool], timeout: float = 40.0) -> None:
    """Wait for it. Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    while not wanted():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def _holds(asked: Callable[[], bool]) -> bool:
    """Whether it is so; no where the node does not answer, or not as it should."""
    try:
        return asked()
    except (urllib3.exceptions.HTTPError, LookupError, ValueError):
        return False
