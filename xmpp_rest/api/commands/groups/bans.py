"""Bans (commands-api §10, §12)."""

from __future__ import annotations

import secrets

from xmpp_rest.api.commands.groups.accounts import account
from xmpp_rest.api.commands.groups.last import now, shown
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.results import NotDone
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import is_text
from xmpp_rest.protocol.jid import JID

ALL = "all"  # hosts; over HTTP the rights refuse it (commands-api §12)
ABSENT = NotDone("account_does_not_exist")
BANNED, NOT_BANNED = NotDone("account_was_already_banned"), NotDone("account_was_not_banned")
DETAILS = ("reason", "bandate", "lastdate", "lastreason")


@command("ban_account")
def ban_account_v0(services: Services, user: str, host: str, reason: str) -> bool | NotDone:
    """Before v2 a ban was a password that nobody knows; what it was is lost."""
    jid = account(services, user, host)
    if jid is None or not services.accounts.exists(jid):
        return ABSENT
    lock = f"BANNED_ACCOUNT--{now()[:19]}--{secrets.token_urlsafe(24)}"
    try:
        _lock(services, jid, f"{lock}--{reason}")
    except GatewayError as e:
        if e.name != "bad-password":
            return ABSENT  # it went in the meantime
        _lock(services, jid, lock)  # a reason that no password can hold
    services.parts.sessions.end_all(jid, _why(reason))
    return True


def _why(reason: str) -> str:
    """What the sessions are told: the reason, if XMPP can carry it."""
    return f"conflict: {reason}" if is_text(reason) else "conflict: banned"


def _lock(services: Services, jid: JID, password: str) -> None:
    services.accounts.set_password(jid, password)


@command("ban_account", 2)
def ban_account(services: Services, user: str, host: str, reason: str) -> bool | NotDone:
    jid = account(services, user, host)
    if jid is None or not services.accounts.exists(jid):
        return ABSENT
    if not services.bans.ban(jid, dict(zip(DETAILS, (reason, now(), *shown(services, jid)), strict=True))):
        return BANNED
    services.parts.tokens.revoke_all(jid)
    services.parts.sessions.end_all(jid, _why(reason))
    return True


@command("unban_account", 2)
def unban_account(services: Services, user: str, host: str) -> bool | NotDone:
    jid = account(services, user, host)
    if jid is None or not services.accounts.exists(jid):
        return ABSENT
    return services.bans.unban(jid) or NOT_BANNED


@command("get_ban_details", 2)
def get_ban_details(services: Services, user: str, host: str) -> list[tuple[str, str]]:
    jid = account(services, user, host)
    details = services.bans.details(jid) if jid else {}
    return [(name, details[name]) for name in DETAILS if name in details]


def _banned(services: Services, host: str) -> list[JID]:
    if host != ALL:
        services.require_host(host)
    return services.bans.all()


@command("list_banned")
def list_banned(services: Services, host: str) -> list[str]:
    return [str(jid) for jid in _banned(services, host)]


@command("count_banned")
def count_banned(services: Services, host: str) -> int:
    return len(_banned(services, host))


COMMANDS = (ban_account_v0, ban_account, unban_account, get_ban_details, list_banned, count_banned)
