"""Nicks that are reserved at a room service (commands-api §12)."""

from __future__ import annotations

from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.room_service import address, conference, refusing, user_at
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.jid import JID, parse_jid

BAD_JID = "Invalid 'jid'"
NO_SERVICE = "Unknown host in 'service'"  # COMPAT ejabberd: without `passed`, of these two commands alone


def _register(services: Services, nick: str, jid: JID, service: str) -> bool:
    rooms = conference(services, service, NO_SERVICE)
    with refusing(nick_taken="Nick already registered", bad_nick="Invalid 'nick'"):
        if nick:
            rooms.reserve_nick(nick, str(jid.bare))
        else:  # COMPAT ejabberd: no nick is a nick given up
            rooms.release_nick(str(jid.bare))
    return True


@command("muc_register_nick", 3)
def muc_register_nick(services: Services, nick: str, user: str, host: str, service: str) -> bool:
    return _register(services, nick, user_at(user, host, BAD_JID), service)


@command("muc_register_nick")
def muc_register_nick_v0(services: Services, nick: str, jid: str, service: str) -> bool:
    return _register(services, nick, address(jid, BAD_JID), service)


@command("muc_unregister_nick", 3)
def muc_unregister_nick(services: Services, user: str, host: str, service: str) -> bool:
    conference(services, service, NO_SERVICE).release_nick(str(user_at(user, host, BAD_JID)))
    return True


@command("muc_unregister_nick")
def muc_unregister_nick_v0(services: Services, jid: str, service: str) -> bool:
    conference(services, service, NO_SERVICE).release_nick(str(address(jid, BAD_JID).bare))
    return True


@command("muc_get_registered_nick")
def muc_get_registered_nick(services: Services, user: str, host: str, service: str) -> str:
    jid = str(user_at(user, host, BAD_JID))
    return conference(services, service).reserved_nick(jid)


@command("muc_get_registered_nicks")
def muc_get_registered_nicks(services: Services, service: str) -> list[tuple[str, str, str]]:
    rows = [(parse_jid(jid), nick) for jid, nick in conference(services, service).reserved_nicks()]
    return [(jid.local, jid.domain, nick) for jid, nick in rows]


COMMANDS = (
    muc_register_nick, muc_register_nick_v0, muc_unregister_nick, muc_unregister_nick_v0, muc_get_registered_nick, muc_get_registered_nicks,
)  # fmt: skip
