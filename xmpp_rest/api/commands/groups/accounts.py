"""Accounts: make, remove, check (commands-api §12)."""

from __future__ import annotations

import hashlib
import hmac
from itertools import islice

from xmpp_rest.api.commands.errors import CommandFailure, failure, not_found, rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.results import Rows
from xmpp_rest.api.commands.services import Services
from xmpp_rest.auth.throttle import parse_network
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID

EXISTS, CANNOT_REGISTER = 10090, 10001
HASHES = {name: name for name in sorted(hashlib.algorithms_available) if not name.startswith("shake")} | {"sha": "sha1"}
REMEDIES = {
    "bad-localpart": "user: write a name of at most 1023 bytes without blanks and any of \" & ' / : < > @",
    "bad-password": "A password has 1 to 1023 bytes and no control characters; an empty one is not valid",
    "host-unknown": "host: this domain is not hosted here",
}
REASONS = {"bad-localpart": "Malformed username", "bad-password": "The password contains unacceptable characters"}


def account(services: Services, user: str, host: str) -> JID | None:
    """The address, or None for what cannot be one of an account here; the peer treats that as an absent account."""
    try:
        return services.accounts.address(user, host)
    except GatewayError:
        return None


@command("register")
def register(services: Services, user: str, host: str, password: str) -> str:
    try:
        jid = services.address(user, host)
        services.accounts.register(jid, password)
    except GatewayError as e:
        raise _not_registered(e, f"{user}@{host}", services.node) from e
    services.parts.last.registered(jid)
    return f"User {user}@{host} successfully registered"


def _not_registered(error: GatewayError, name: str, node: str) -> CommandFailure:
    if error.name == "account-exists":
        return failure(409, EXISTS, f"User {name} already registered")
    reason = REASONS.get(error.name, error.text)
    detail = REMEDIES.get(error.name, error.text)
    return failure(500, CANNOT_REGISTER, f"Can't register user {name} at node {node}: {reason}", detail=detail)


@command("unregister")
def unregister(services: Services, user: str, host: str) -> str:
    if jid := account(services, user, host):
        services.accounts.unregister(jid)
    return ""


@command("check_account")
def check_account(services: Services, user: str, host: str) -> bool:
    jid = account(services, user, host)
    return jid is not None and services.accounts.exists(jid)


@command("check_password")
def check_password(services: Services, user: str, host: str, password: str) -> bool:
    jid = account(services, user, host)
    return jid is not None and services.accounts.check_password(jid, password)


@command("check_password_hash")
def check_password_hash(services: Services, user: str, host: str, passwordhash: str, hashmethod: str) -> bool:
    jid = account(services, user, host)
    record = services.accounts.record(jid) if jid else None
    password = record.get("password") if record else ""
    if not isinstance(password, str) or (record and not password):
        raise rejected("passwords_scrammed_command_cannot_work", "Passwords are kept as SCRAM records only; check_password works")
    if hashmethod not in HASHES:
        raise rejected("unkown_hash_method", f"hashmethod: write one of {', '.join(HASHES)}")  # COMPAT ejabberd: spelled so
    digest = hashlib.new(HASHES[hashmethod], password.encode(), usedforsecurity=False).hexdigest().upper()
    return record is not None and hmac.compare_digest(digest.encode(), passwordhash.encode())


@command("change_password")
def change_password(services: Services, user: str, host: str, newpass: str) -> bool:
    jid = account(services, user, host)
    if jid is None or not services.accounts.exists(jid):
        raise not_found("unknown_user")
    try:
        services.accounts.set_password(jid, newpass)
    except GatewayError as e:
        raise not_found("unknown_user") if e.name == "account-unknown" else rejected("invalid_password", REMEDIES["bad-password"]) from e
    return True


@command("registered_users")
def registered_users(services: Services, host: str, after: str, limit: int) -> Rows:
    services.require_host(host)
    if limit < 0:
        raise rejected("Invalid limit", "limit: write a number of names, or 0 for all")
    return Rows(islice(services.accounts.users(after), limit or None))


@command("unban_ip")
def unban_ip(services: Services, address: str) -> int:
    try:
        network = parse_network(address)
    except ValueError:
        return -1
    unbanned: int = services.parts.remote.broadcast("unban", network=str(network))
    return unbanned


COMMANDS = (register, unregister, check_account, check_password, check_password_hash, change_password, registered_users, unban_ip)
