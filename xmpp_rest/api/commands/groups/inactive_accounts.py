"""Accounts that nobody has used for long (commands-api §12)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from drivers import Place
from xmpp_rest.api.commands.erlang import printed
from xmpp_rest.api.commands.errors import of_service
from xmpp_rest.api.commands.many import begin, each
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.removal_jobs import before
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.job_progress import DONE
from xmpp_rest.service.accounts.jobs import Job
from xmpp_rest.service.accounts.last_activity import LAST, activity_of

JOB = "delete_old_users"
PATIENCE = 5.0  # seconds that the answer waits for the list, which the peer gives
PAGE = 1000  # accounts whose last activity is read at once
LISTED = 10_000  # accounts; who waits for the list has not got more within this time


@command("delete_old_users")
def delete_old_users(services: Services, days: int) -> str:
    """Administrators stay: a gateway without any could not be mended over HTTP."""
    since, deleted = before(days), list[JID]()
    job = begin(services, JOB, lambda job: _delete(services, since, deleted, job), f"{days} days", alike=1)
    end = job.ended.wait(PATIENCE)
    if end is None:
        return f"Deleting users in the background; job_status tells of the job {JOB}"
    if end.state != DONE:
        raise of_service(GatewayError("storage-failed", f"Deleted {end.done} users, then: {end.error}"))
    listed = ",".join(f"{{{printed(jid.local)},{printed(jid.domain)}}}" for jid in sorted(deleted, key=str))
    return f"Deleted {len(deleted)} users: [{listed}]"


def _delete(services: Services, since: float, deleted: list[JID], job: Job) -> None:
    job.total(sum(1 for _ in _unused(services, since, job)))
    spared = frozenset(services.gateway.settings.auth.admins)

    def delete(jid: JID) -> bool:
        if jid in spared or _is_used(services, jid, since) or services.parts.online.has_session(jid):  # looked at again just before
            return False
        services.accounts.unregister(jid)
        if len(deleted) < LISTED:
            deleted.append(jid)
        return True

    each(services, job, _unused(services, since, job), delete)


def _unused(services: Services, since: float, job: Job) -> Iterator[JID]:
    """The accounts that have not logged in since that Unix time, or never: their last activity is read a page at a time."""
    users = services.accounts.users()
    while names := list(islice(users, PAGE)):
        tables = services.gateway.driver.bulk_read([Place(name, services.domain, LAST, "keyval") for name in names])
        for name, table in zip(names, tables, strict=True):
            if isinstance(table, Exception):
                raise table
            if (activity := activity_of(table)) is None or activity.when < since:
                yield JID(name, services.domain, "")
        job.did(0)


def _is_used(services: Services, jid: JID, since: float) -> bool:
    activity = services.parts.last.get(jid)
    return activity is not None and activity.when >= since


@command("delete_old_users_vhost")
def delete_old_users_vhost(services: Services, host: str, days: int) -> str:
    services.require_host(host)
    text: str = delete_old_users.run(services, days)
    return text


COMMANDS = (delete_old_users, delete_old_users_vhost)
