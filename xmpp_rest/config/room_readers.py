"""Readers of the settings of rooms on other servers. Each raises ValueError with the sentence that tells what would be right."""

from __future__ import annotations

import re
from typing import NamedTuple

from xmpp_rest.config.readers import domain_name, split_list
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

MOST = 100  # rooms of a callback
_MARK = " password="
_FORMER = ("admins", "anyone")  # values of the key that is `invited_by` today


class CallbackRoom(NamedTuple):
    """A room in which the bot of a callback stays. An empty nick: the default one."""

    room: JID
    nick: str = ""
    password: str | None = None

    def __repr__(self) -> str:
        """Without the password."""
        return f"CallbackRoom({self.room.at(self.nick) if self.nick else self.room})"


def nick(value: str) -> str:
    """What somebody may be called in a room, prepared. Raises ValueError."""
    try:
        prepared = JID("", "localhost", "").at(value).resource
    except InvalidJID as e:
        raise ValueError(f"nobody can be called {value[:100]!r} in a room ({e})") from e
    if not prepared.strip():
        raise ValueError("nobody can be called by blanks alone in a room")
    return prepared


def optional_nick(value: str) -> str:
    """A nick, or nothing."""
    return nick(value) if value else ""


def resource(value: str) -> str:
    """The resource of an address, prepared."""
    try:
        return JID("", "localhost", "").at(value).resource
    except InvalidJID as e:
        raise ValueError(f"write the resource of an address, such as xmpp-rest ({e})") from e


def domains(value: str) -> frozenset[str]:
    """Domains, or nothing."""
    return frozenset(domain_name(each) for each in split_list(value))


def rooms(value: str) -> tuple[CallbackRoom, ...]:
    """Rooms with nicks and passwords, separated by commas or lines; or nothing."""
    if value in _FORMER:
        raise ValueError(f"who may add the bot to a room is said by another key now: write invited_by = {value}")
    found = [_room(entry.strip()) for entry in re.split(r"[,\n]", value) if entry.strip()]
    if len(found) > MOST:
        raise ValueError(f"write at most {MOST} rooms")
    if len({entry.room for entry in found}) < len(found):
        raise ValueError("write each room once")
    return tuple(found)


def _room(entry: str) -> CallbackRoom:
    address, mark, password = entry.partition(_MARK)
    try:
        jid = parse_jid(address.strip())
    except InvalidJID as e:
        raise ValueError(f"write rooms such as garden@conference.example.org/nick, separated by commas ({e})") from e
    if not jid.local:
        raise ValueError(f"{jid.domain} is not the address of a room, such as garden@{jid.domain}")
    return CallbackRoom(jid.bare, optional_nick(jid.resource), password if mark else None)
