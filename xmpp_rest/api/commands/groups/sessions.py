"""Sessions: event streams, and resources that said they are available (commands-api §12)."""

from __future__ import annotations

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.groups.accounts import account
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.streams.online import SHOWS, Session, uptime

KICKED = "kicked by an administrator"
Row = tuple[str, str, int, int, str, int, str, str, str]


def _all(services: Services) -> list[Session]:
    return services.parts.online.all()


def _of(services: Services, user: str, host: str) -> list[Session]:
    jid = account(services, user, host)
    return services.parts.online.of(jid) if jid else []


def _of_host(services: Services, host: str) -> list[Session]:
    services.require_host(host)
    return _all(services)


@command("connected_users")
def connected_users(services: Services) -> list[str]:
    return [str(s.jid) for s in _all(services)]


@command("connected_users_number")
def connected_users_number(services: Services) -> int:
    return len(_all(services))


@command("connected_users_vhost")
def connected_users_vhost(services: Services, host: str) -> list[str]:
    return [str(s.jid) for s in _of_host(services, host)]


def _row(services: Services, s: Session) -> Row:
    return s.connection, s.ip, s.port, s.priority, services.node, uptime(s), s.show, s.jid.resource, s.text


@command("connected_users_info")
def connected_users_info(services: Services) -> list[tuple[str, str, str, int, int, str, int, str, str, str]]:
    return [(str(s.jid), *_row(services, s)) for s in _all(services)]


@command("user_sessions_info")
def user_sessions_info(services: Services, user: str, host: str) -> list[Row]:
    return [_row(services, s) for s in _of(services, user, host)]


@command("user_resources")
def user_resources(services: Services, user: str, host: str) -> list[str]:
    return [s.jid.resource for s in _of(services, user, host)]


@command("num_resources")
def num_resources(services: Services, user: str, host: str) -> int:
    return len(_of(services, user, host))


@command("resource_num")
def resource_num(services: Services, user: str, host: str, num: int) -> str:
    resources = sorted(s.jid.resource for s in _of(services, user, host))
    if not 0 < num <= len(resources):
        raise internal_error(f"num: the account has {len(resources)} sessions, counted from 1")  # COMPAT ejabberd
    return resources[num - 1]


@command("kick_session")
def kick_session(services: Services, user: str, host: str, resource: str, reason: str) -> bool:
    require_sendable(reason)
    services.parts.sessions.kick([s for s in _of(services, user, host) if s.jid.resource == resource], f"conflict: {reason}")
    return True


@command("kick_user")
def kick_user_v0(services: Services, user: str, host: str) -> int:
    return services.parts.sessions.kick(_of(services, user, host), KICKED)


@command("kick_user", 2)
def kick_user(services: Services, user: str, host: str) -> str:
    return f"Kicked sessions: {kick_user_v0.run(services, user, host)}"


@command("kick_users")
def kick_users(services: Services, host: str) -> int:
    return services.parts.sessions.kick(_of_host(services, host), KICKED)


@command("get_presence")
def get_presence(services: Services, user: str, host: str) -> tuple[str, str, str]:
    jid = services.address(user, host)
    best = services.parts.online.best(jid)
    return (str(best.jid), best.show, best.text) if best else (str(jid), "unavailable", "")


def _session(services: Services, user: str, host: str, resource: str) -> JID | None:
    found = (s.jid for s in _of(services, user, host) if s.jid.resource == resource)
    return next(found, None)


@command("set_presence", 1)
def set_presence(services: Services, user: str, host: str, resource: str, type_: str, show: str, status: str, priority: int) -> bool:
    jid = _session(services, user, host, resource)
    if jid is None:
        raise rejected("User session not found")
    if type_ not in ("", "available", "unavailable"):
        raise rejected("Invalid presence type")
    if show not in ("", "available", *SHOWS):
        raise rejected("Invalid show")
    if priority not in range(-128, 128):
        raise rejected("Invalid priority")
    require_sendable(status)
    kind, shown = "unavailable" if type_ == "unavailable" else "", show if show in SHOWS else ""
    services.parts.sessions.send_presence(jid, kind, shown, status, priority)
    return True


@command("set_presence")
def set_presence_v0(services: Services, user: str, host: str, resource: str, type_: str, show: str, status: str, priority: str) -> bool:
    try:
        number = int(priority[:5] or "0")
    except ValueError as e:
        raise rejected("Invalid priority") from e
    done: bool = set_presence.run(services, user, host, resource, type_, show, status, number)
    return done


def _with_status(sessions: list[Session], status: str) -> list[Session]:
    return [s for s in sessions if status in ("all", s.show)]


def _rows(sessions: list[Session]) -> list[tuple[str, int, str]]:
    return [(str(s.jid), s.priority, s.text) for s in sessions]


def _rows_v0(sessions: list[Session]) -> list[tuple[str, str, str, int, str]]:
    return [(s.jid.local, s.jid.domain, s.jid.resource, s.priority, s.text) for s in sessions]


@command("status_list", 3)
def status_list(services: Services, status: str) -> list[tuple[str, int, str]]:
    return _rows(_with_status(_all(services), status))


@command("status_list")
def status_list_v0(services: Services, status: str) -> list[tuple[str, str, str, int, str]]:
    return _rows_v0(_with_status(_all(services), status))


@command("status_list_host", 3)
def status_list_host(services: Services, host: str, status: str) -> list[tuple[str, int, str]]:
    return _rows(_with_status(_of_host(services, host), status))


@command("status_list_host")
def status_list_host_v0(services: Services, host: str, status: str) -> list[tuple[str, str, str, int, str]]:
    return _rows_v0(_with_status(_of_host(services, host), status))


@command("status_num")
def status_num(services: Services, status: str) -> int:
    return len(_with_status(_all(services), status))


@command("status_num_host")
def status_num_host(services: Services, host: str, status: str) -> int:
    return len(_with_status(_of_host(services, host), status))


COMMANDS = (
    connected_users, connected_users_number, connected_users_vhost, connected_users_info, user_sessions_info, user_resources, num_resources,
    resource_num, kick_session, kick_user_v0, kick_user, kick_users, get_presence, set_presence, set_presence_v0, status_list,
    status_list_v0, status_list_host, status_list_host_v0, status_num, status_num_host,
)  # fmt: skip
