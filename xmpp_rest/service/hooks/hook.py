"""A hook: who made it, whom it sends to, and how requests to it are read."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import Enum

from xmpp_rest.protocol.jid import JID


class HookSource(Enum):
    """Who made a hook."""

    ACCOUNT = "account"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class HookTarget:
    """Whom a hook sends to. `room`: whether that is a room; None: service discovery tells."""

    jid: JID
    room: bool | None = None

    def __str__(self) -> str:
        return f"room:{self.jid}" if self.room else str(self.jid)


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook. Times are Unix times; `nick` is how it is called in rooms; `number` is its own among all hooks of the gateway."""

    name: str
    owner: JID
    speaks_as: JID
    """The bare address that its messages are from."""
    targets: tuple[HookTarget, ...]
    number: int
    made: float
    format: str = "auto"
    template: str | None = None
    """Jinja source, or @NAME; None: that of the format."""
    nick: str = ""
    update: bool = False
    rate: int | None = None
    """Requests a minute, 0: no limit; None: as [limits] says."""
    secret: str | None = None
    """What requests are signed by; None: they need no signature."""
    get: bool = False
    expires: float | None = None
    source: HookSource = HookSource.ACCOUNT
    owned: float = math.inf
    """Since when it is its owner's: an account that was made later is another one."""

    @property
    def called(self) -> str:
        """Its name in rooms."""
        return self.nick or self.name

    @property
    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= time.time()
