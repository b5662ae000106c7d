"""What somebody wants a hook to be."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.protocol.jid import JID


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants a hook to be. `owner`: None: [hooks] address; `speaks_as`: None: what its owner speaks as."""

    owner: JID | None
    speaks_as: JID | None
    targets: tuple[str, ...]
    format: str = "auto"
    template: str | None = None
    nick: str = ""
    update: bool = False
    rate: int | None = None
    secret: str | None = None
    get: bool = False
    expires: float | None = None
