"""Announcements to everybody, and the message of the day (commands-api §12)."""

from __future__ import annotations

from collections.abc import Collection

from xmpp_rest.api.commands.many import FEW, begin, each, few
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.jobs import Job
from xmpp_rest.service.messages.announcements import Announcement

SHOWN = 100  # characters of a subject that job_status shows


def _announcement(services: Services, host: str, subject: str, body: str) -> Announcement:
    services.require_host(host)
    require_sendable(subject, body)
    return Announcement(subject, body)


@command("announce_send_all")
def announce_send_all(services: Services, host: str, subject: str, body: str) -> bool:
    announcements, news = services.parts.announcements, _announcement(services, host, subject, body)
    users = few(services)
    if users is None:
        begin(services, "announce_send_all", lambda job: _send_all(services, news, job), subject[:SHOWN])
    else:
        announcements.send(news, [JID(user, services.domain, "") for user in users], "")
    return True


def _send_all(services: Services, news: Announcement, job: Job) -> None:
    job.total(sum(1 for _ in services.accounts.users()))
    accounts = (JID(user, services.domain, "") for user in services.accounts.users())
    each(services, job, accounts, lambda account: services.parts.announcements.send_one(news, account, ""))


@command("announce_send_online")
def announce_send_online(services: Services, host: str, subject: str, body: str) -> bool:
    announcements, news = services.parts.announcements, _announcement(services, host, subject, body)
    online = {session.jid.bare for session in services.parts.online.all()}
    if len(online) > FEW:
        begin(services, "announce_send_online", lambda job: _send_online(services, news, online, job), subject[:SHOWN])
    else:
        announcements.send(news, online, "headline")
    return True


def _send_online(services: Services, news: Announcement, online: Collection[JID], job: Job) -> None:
    job.total(len(online))
    each(services, job, online, lambda account: services.parts.announcements.send_one(news, account, "headline"))


@command("announce_motd_get")
def announce_motd_get(services: Services, host: str) -> tuple[str, str]:
    services.require_host(host)
    return services.parts.announcements.motd() or ("", "")


@command("announce_motd_update")
def announce_motd_update(services: Services, host: str, subject: str, body: str) -> bool:
    services.parts.announcements.set_motd(_announcement(services, host, subject, body))
    return True


@command("announce_motd_set_online")
def announce_motd_set_online(services: Services, host: str, subject: str, body: str) -> bool:
    announce_motd_update.run(services, host, subject, body)
    done: bool = announce_send_online.run(services, host, subject, body)
    return done


@command("announce_motd_delete")
def announce_motd_delete(services: Services, host: str) -> bool:
    services.require_host(host)
    services.parts.announcements.set_motd(None)
    return True


COMMANDS = (
    announce_send_all, announce_send_online, announce_motd_get, announce_motd_update, announce_motd_set_online, announce_motd_delete,
)  # fmt: skip
