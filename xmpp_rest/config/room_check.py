"""The check of what is set for rooms on other servers: values that are each valid, but cannot work (rooms-anywhere §12)."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import JID


def described_rooms(settings: Settings) -> Iterator[str]:
    """The rooms of callbacks, a line each, without passwords."""
    for name, callback in settings.callbacks.items():
        for entry in callback.rooms:
            nick = entry.nick or settings.rooms_anywhere.nick
            yield f"have {callback.address[0]} stay in {entry.room}{f' as {nick}' if nick else ''} for [callback.{name}]"


def room_problems(settings: Settings) -> Iterator[str]:
    """What is wrong, a sentence each."""
    seen: dict[tuple[JID, JID], str] = {}
    for name, callback in settings.callbacks.items():
        for entry in callback.rooms:
            if entry.room.domain in settings.gateway.domains and entry.room.domain != settings.gateway.conference_domain:
                yield f"[callback.{name}] rooms: {entry.room}: is at a hosted domain, which has no rooms of XEP-0045"
            other = seen.setdefault((callback.address[0], entry.room), name)
            if other != name:
                yield f"[callback.{name}] rooms: {entry.room}: {callback.address[0]} is there for [callback.{other}] already"


def useless_rooms(settings: Settings) -> Iterator[str]:
    """What can have no effect."""
    if settings.link.kind != "none":
        return
    for name, callback in settings.callbacks.items():
        if elsewhere := [str(entry.room) for entry in callback.rooms if entry.room.domain not in settings.gateway.domains]:
            yield f"[callback.{name}] rooms: {', '.join(elsewhere)}: [link] kind is none, so no room on another server can be joined"
