"""Offline messages, and jobs that clear them away (commands-api §12)."""

from __future__ import annotations

from xmpp_rest.api.commands.groups.accounts import account
from xmpp_rest.api.commands.many import act_on
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.removal_jobs import abort, before, start, status
from xmpp_rest.api.commands.services import Services

JOB = "delete_old_messages"


@command("get_offline_count")
def get_offline_count(services: Services, user: str, host: str) -> int:
    jid = account(services, user, host)
    return services.parts.offline.count(jid) if jid else 0


@command("delete_expired_messages")
def delete_expired_messages(services: Services) -> bool:
    act_on(services, "delete_expired_messages", services.parts.offline.owners(), services.parts.offline.delete_expired)
    return True


@command("delete_old_messages")
def delete_old_messages(services: Services, days: int) -> bool:
    offline, end = services.parts.offline, before(days)
    act_on(services, "delete_old_messages-all", offline.owners(), lambda owner: offline.delete_old(owner, end), f"{days} days")
    return True


@command("delete_old_messages_batch")
def delete_old_messages_batch(services: Services, host: str, days: int, batch_size: int, rate: int) -> str:
    services.require_host(host)
    offline, end = services.parts.offline, before(days)
    return start(services, JOB, offline.owners, lambda owner, limit: offline.delete_some(owner, end, limit), batch_size, rate)


@command("delete_old_messages_status")
def delete_old_messages_status(services: Services, host: str) -> str:
    return status(services, host, JOB)


@command("abort_delete_old_messages")
def abort_delete_old_messages(services: Services, host: str) -> str:
    return abort(services, host, JOB)


COMMANDS = (
    get_offline_count, delete_expired_messages, delete_old_messages, delete_old_messages_batch, delete_old_messages_status,
    abort_delete_old_messages,
)  # fmt: skip
