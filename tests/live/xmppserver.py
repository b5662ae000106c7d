"""The interface of an XMPP server in the tests."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from .child import Child, answers, free_port

DOMAIN = "capulet.example"
CONFERENCE = "conference.capulet.example"
GATEWAY = "gateway.capulet.example"
COMPONENTS = (GATEWAY, f"muclight.{GATEWAY}", f"conference.{GATEWAY}")
"""What the gateway attaches unless it is told otherwise: its own domain and those of its rooms."""
UNKNOWN = "nobody.capulet.example"
"""A domain that no server here has configured."""

SECRET = "hand in glove"
PASSWORD = "wherefore art thou"
USERS = ("juliet", "nurse", "tybalt")


class XMPPServer(Child):
    """One virtual host with accounts, a MUC service, and external components; plain TCP on loopback.

    It forgets its sessions and rooms, but neither its accounts nor its ports, from `stop()` to `start()`.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    """What must be installed."""
    one_connection_per_component: ClassVar[bool]
    """Is a second connection of the same component refused (`conflict`)?"""
    any_component: ClassVar[bool]
    """Is a component welcome under any name, if only it knows the secret?"""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.c2s_port = free_port()
        self.component_port = free_port()

    @abstractmethod
    def configure(self) -> None:
        """Write configuration and accounts; called once, before the first `start()`."""

    def start(self) -> None:
        if not (self.folder / "configured").exists():
            self.configure()
            (self.folder / "configured").touch()
        super().start()

    def ready(self) -> bool:
        return answers(self.c2s_port) and answers(self.component_port)
