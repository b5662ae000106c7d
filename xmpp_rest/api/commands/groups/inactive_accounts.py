"""Accounts that nobody has used for long (commands-api §12)."""

from __future__ import annotations

from xmpp_rest.api.commands.erlang import printed
from xmpp_rest.api.commands.groups.accounts import unregister
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.removal_jobs import before
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.jid import JID


@command("delete_old_users")
def delete_old_users(services: Services, days: int) -> str:
    """Administrators stay: a gateway without any could not be mended over HTTP."""
    deleted = _unused(services, before(days))
    for jid in deleted:
        unregister.run(services, jid.local, jid.domain)
    listed = ",".join(f"{{{printed(jid.local)},{printed(jid.domain)}}}" for jid in deleted)
    return f"Deleted {len(deleted)} users: [{listed}]"


def _unused(services: Services, since: float) -> list[JID]:
    """The accounts without a session that have not logged in since that Unix time, or never."""
    spared = {s.jid.bare for s in services.parts.online.all()} | set(services.gateway.settings.auth.admins)
    accounts = (JID(user, services.domain, "") for user in services.accounts.users())
    return sorted((jid for jid in accounts if jid not in spared and not _used(services, jid, since)), key=str)


def _used(services: Services, jid: JID, since: float) -> bool:
    activity = services.parts.last.get(jid)
    return activity is not None and activity.when >= since


@command("delete_old_users_vhost")
def delete_old_users_vhost(services: Services, host: str, days: int) -> str:
    services.require_host(host)
    text: str = delete_old_users.run(services, days)
    return text


COMMANDS = (delete_old_users, delete_old_users_vhost)
