"""Message archives (commands-api §12)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.many import act_on
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.removal_jobs import abort, before, start, status
from xmpp_rest.api.commands.results import NotDone
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.messages.archive import EVERYTHING, ArchiveFilter
from xmpp_rest.service.messages.archive_keep import DEFAULT

TYPES = frozenset(("chat", "groupchat", "all"))
JOB = "delete_old_mam_messages"
REMOVED = "MAM archive removed"


@command("get_mam_count")
def get_mam_count(services: Services, user: str, host: str) -> int:
    return services.parts.archive.count(services.address(user, host), EVERYTHING) or 0


@command("remove_mam_for_user")
def remove_mam_for_user(services: Services, user: str, host: str) -> str:
    services.parts.archive.remove(services.address(user, host), EVERYTHING)
    return REMOVED


@command("remove_mam_for_user_with_peer")
def remove_mam_for_user_with_peer(services: Services, user: str, host: str, with_: str) -> str:
    try:
        peer = parse_jid(with_).bare
    except InvalidJID as e:
        raise rejected("Invalid peer JID") from e
    services.parts.archive.remove(services.address(user, host), ArchiveFilter(partner=peer))
    return REMOVED


def _domains(services: Services, kind: str) -> list[str]:
    """Where the archives of this type of message are: those of accounts, and those of rooms."""
    rooms = [domain for domain in services.gateway.settings.gateway.domains if domain != services.domain]
    return {"chat": [services.domain], "groupchat": rooms, "all": [services.domain, *rooms]}.get(kind, [])


@command("delete_old_mam_messages")
def delete_old_mam_messages(services: Services, type_: str, days: int) -> bool | NotDone:
    archive, old = services.parts.archive, ArchiveFilter(end=before(days))
    if type_ not in TYPES:
        return NotDone("unsupported_type")
    about = f"{type_}, {days} days"
    act_on(services, "delete_old_mam_messages-all", _owners(services, type_), lambda owner: archive.remove(owner, old), about)
    return True


def _owners(services: Services, kind: str) -> Iterator[JID]:
    return chain.from_iterable(map(services.parts.archive.owners, _domains(services, kind)))


@command("delete_old_mam_messages_batch")
def delete_old_mam_messages_batch(services: Services, host: str, type_: str, days: int, batch_size: int, rate: int) -> str:
    services.require_host(host)
    if type_ not in TYPES:
        raise rejected("Invalid type")
    archive, old = services.parts.archive, ArchiveFilter(end=before(days))
    return start(services, JOB, lambda: _owners(services, type_), lambda owner, limit: archive.remove(owner, old, limit), batch_size, rate)


@command("delete_old_mam_messages_status")
def delete_old_mam_messages_status(services: Services, host: str) -> str:
    return status(services, host, JOB)


@command("abort_delete_old_mam_messages")
def abort_delete_old_mam_messages(services: Services, host: str) -> str:
    return abort(services, host, JOB)


@command("get_archive_keep")
def get_archive_keep(services: Services, user: str, host: str) -> str:
    return services.parts.retention.own.of(services.address(user, host))


@command("set_archive_keep")
def set_archive_keep(services: Services, user: str, host: str, keep: str) -> bool:
    jid = services.address(user, host)
    if not services.accounts.exists(jid):
        raise rejected("The account does not exist")
    try:
        services.parts.retention.own.set(jid, keep)
    except ValueError as e:
        raise rejected(f"keep: {e}, or {DEFAULT}") from e
    return True


COMMANDS = (
    get_mam_count, remove_mam_for_user, remove_mam_for_user_with_peer, delete_old_mam_messages, delete_old_mam_messages_batch,
    delete_old_mam_messages_status, abort_delete_old_mam_messages, get_archive_keep, set_archive_keep,
)  # fmt: skip
