"""Message archives (spec commands-api §12)."""

from __future__ import annotations

import time

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.service.archive import EVERYTHING, Wanted

DAY = 86400  # seconds
MAX_DAYS = 1_000_000  # further back than any clock
REMOVED = "MAM archive removed"


@command("get_mam_count")
def get_mam_count(services: Services, user: str, host: str) -> int:
    return services.gateway.archive.count(services.address(user, host), EVERYTHING) or 0


@command("remove_mam_for_user")
def remove_mam_for_user(services: Services, user: str, host: str) -> str:
    services.gateway.archive.remove(services.address(user, host), EVERYTHING)
    return REMOVED


@command("remove_mam_for_user_with_peer")
def remove_mam_for_user_with_peer(services: Services, user: str, host: str, with_: str) -> str:
    try:
        peer = parse_jid(with_).bare
    except InvalidJID as e:
        raise rejected("Invalid peer JID") from e
    services.gateway.archive.remove(services.address(user, host), Wanted(partner=peer))
    return REMOVED


def _domains(services: Services, kind: str) -> list[str]:
    """Where the archives of this type of message are: those of accounts, and those of rooms."""
    rooms = [domain for domain in services.gateway.domains if domain != services.domain]
    return {"chat": [services.domain], "groupchat": rooms, "all": [services.domain, *rooms]}.get(kind, [])


@command("delete_old_mam_messages")
def delete_old_mam_messages(services: Services, type_: str, days: int) -> bool:
    if days < 0:
        raise rejected("Invalid number of days")
    domains, archive = _domains(services, type_), services.gateway.archive
    old = Wanted(end=time.time() - min(days, MAX_DAYS) * DAY)
    for owner in (owner for domain in domains for owner in archive.owners(domain)):
        archive.remove(owner, old)
    return type_ in ("chat", "groupchat", "all")


COMMANDS = (get_mam_count, remove_mam_for_user, remove_mam_for_user_with_peer, delete_old_mam_messages)
