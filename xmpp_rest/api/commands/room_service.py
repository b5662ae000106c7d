"""The room service of commands, and their errors about it (commands-api §12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flask import g, has_app_context

from xmpp_rest.api.commands.errors import forbidden, rejected
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.service.muc.conference import Conference

ANY = "global"  # stands for all services, of which there is one
NO_SERVICE = "Unknown host passed in 'service'"


def conference(services: Services, service: str, complaint: str = NO_SERVICE) -> Conference:
    """The service of this name. Raises CommandFailure, with the complaint, where there is none."""
    rooms = services.parts.conference
    if rooms is None:
        raise rejected(complaint, "There are no rooms here: [gateway] conference_domain is empty")
    if domain(service) != rooms.domain:
        raise rejected(complaint, f"service: write {rooms.domain}")
    return rooms


def conferences(services: Services, service: str) -> list[Conference]:
    """The service of this name, or all. Raises CommandFailure where there is none."""
    if service == ANY:
        return [services.parts.conference] if services.parts.conference else []
    return [conference(services, service)]


def domain(text: str) -> str:
    """The domain as addresses have it; "" for what is none."""
    try:
        jid = parse_jid(text)
    except InvalidJID:
        return ""
    return "" if jid.local or jid.resource else jid.domain


@contextmanager
def refusing(**texts: str) -> Iterator[None]:
    """What the command says about errors of the service, by their name with `_` for `-`. Raises CommandFailure."""
    try:
        yield
    except GatewayError as e:
        text = texts.get(e.name.replace("-", "_"))
        if text is None:
            raise
        raise rejected(text) from e


def require_no_bot(services: Services, users: Iterable[JID]) -> None:
    """Only administrators bring a bot into a room, whatever other rights permit the command. Raises CommandFailure, 403."""
    call = g.get("call") if has_app_context() else None
    principal = call.principal if call is not None else None
    if call is None or (principal and principal.admin):  # the command line is an administrator's
        return
    actor = principal.jid if principal and principal.jid else JID("", "", "")
    if not all(services.parts.callbacks.may_bring(actor, user) for user in users):
        raise forbidden()


def address(text: str, complaint: str) -> JID:
    """The address that the text spells; the complaint where it spells none. Raises CommandFailure."""
    try:
        return parse_jid(text)
    except InvalidJID as e:
        raise rejected(complaint) from e


def user_at(user: str, host: str, complaint: str) -> JID:
    """The bare address of `user` at `host`, wherever that is. Raises CommandFailure."""
    try:
        if not user:
            raise rejected(complaint)
        return local_jid(user, host)
    except InvalidJID as e:
        raise rejected(complaint) from e


def account_or_none(user: str, host: str) -> JID | None:
    """The bare address of `user` at `host`, None for what is none: rooms know people of every server."""
    try:
        return local_jid(user, host) if user else None
    except InvalidJID:
        return None
