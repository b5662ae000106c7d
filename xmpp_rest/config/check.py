"""The check of a configuration: refuses what cannot work, and describes what the gateway would do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from drivers import DRIVERS
from xmpp_rest.config import certificates, descriptors
from xmpp_rest.config.cluster_check import cluster_problems, cluster_remarks, described_cluster
from xmpp_rest.config.file_check import described_files, file_problems, file_remarks
from xmpp_rest.config.hook_check import CheckTemplate, hook_problems
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.login_check import described_logins, login_problems
from xmpp_rest.config.room_check import described_rooms, room_problems, useless_rooms
from xmpp_rest.config.table import Settings
from xmpp_rest.config.worker_class import lacking, usable

WORKER_CLASSES = ("gthread", "gevent", "sync", "eventlet", "tornado")
"""gunicorn's names of its own workers; any other is package.module.Class."""


class Commands(Protocol):
    """The commands that rules may name."""

    @property
    def names(self) -> frozenset[str]: ...

    @property
    def tags(self) -> frozenset[str]: ...


def describe(settings: Settings) -> Iterator[str]:
    """The lines that describe what the gateway would do, without secrets."""
    server, link = settings.server, settings.link
    data_dir = Path(settings.base) / server.data_dir
    scheme = "https" if server.certificate else "http"
    places = ", ".join(str(bind) if bind.path else f"{scheme}://{bind}" for bind in server.bind)
    yield f"serve {places} with {server.workers} process(es) of {server.threads} threads ({_worker_class(server.worker_class)})"
    yield _connections(settings)
    yield f"keep everything in {data_dir}, accounts by {settings.storage.url.partition(':')[0]}"
    yield from described_cluster(settings)
    yield f"host {', '.join(settings.domains)}"
    if link.kind == "component":
        yield f"attach each of them as a component to {link.host}:{link.port}" + ("" if link.secret else " WITHOUT A SECRET")
    else:
        yield "run standalone: hosted users reach only each other"
    yield f"take {', '.join(map(str, settings.auth.admins))} as administrator(s)"
    for name, callback in settings.callbacks.items():
        addresses = ", ".join(map(str, callback.address))
        yield f"POST {', '.join(sorted(callback.kinds))} for {addresses} to the URL of [callback.{name}]"
    yield from described_rooms(settings)
    yield from described_files(settings)
    yield from described_logins(settings)
    for name, hook in settings.own_hooks.items():
        yield f"send what comes by the URL of [hook.{name}] to {', '.join(hook.targets)}"


def _worker_class(written: str) -> str:
    used = usable(written)
    return used if used == written else f"{used}, as {lacking()}"


def _connections(settings: Settings) -> str:
    """The number of connections of each process, by this process's limit of open files."""
    taken, allowed = descriptors.connections(settings), descriptors.limit()
    wanted = descriptors.wanted_for_all(settings)
    line = f"take {taken} connections at once in each process"
    if allowed >= wanted:
        return line
    return f"{line}, as the limit of open files (RLIMIT_NOFILE, `ulimit -Hn`) is {allowed}; {wanted} allow {descriptors.CONNECTIONS}"


def require_sense(settings: Settings, commands: Commands, check_template: CheckTemplate | None = None) -> None:
    """Refuse values that are each valid, but cannot work together. Raises SettingsError. `check_template`: None: they are not parsed."""
    if problems := nonsense(settings, commands, check_template):
        raise SettingsError(problems)


def nonsense(settings: Settings, commands: Commands, check_template: CheckTemplate | None = None) -> list[str]:
    """The problems of values that are each valid, but cannot work together, a sentence each."""
    beside = (*room_problems(settings), *file_problems(settings), *login_problems(settings), *cluster_problems(settings))
    return [*_problems(settings), *_rights_problems(settings, commands), *hook_problems(settings, check_template), *beside]


def _problems(settings: Settings) -> list[str]:
    problems = []
    if settings.link.kind == "component" and not settings.link.secret:
        problems.append("[link] secret: is missing; write the secret that the XMPP server knows for the component, or set kind = none")
    domains = [d for d in (settings.gateway.domain, settings.gateway.rooms_domain, settings.gateway.conference_domain) if d]
    if len(set(domains)) < len(domains):
        problems.append("[gateway]: domain, rooms_domain and conference_domain must differ; leave the ones you do not need empty")
    for name, callback in settings.callbacks.items():
        if foreign := [str(a) for a in callback.address if a.domain not in domains]:
            problems.append(f"[callback.{name}] address: {', '.join(foreign)}: not at a hosted domain ({', '.join(domains)})")
    problems += certificates.problems(settings)
    return [*problems, *_admin_problems(settings), *_storage_problems(settings), *_worker_problems(settings)]


def _admin_problems(settings: Settings) -> Iterator[str]:
    """Administrators that are not accounts of the hosted domain, and so cannot log in."""
    domain = settings.gateway.domain
    for jid in settings.auth.admins:
        if not jid.local:
            account = f"{'admin' if jid.domain == domain else jid}@{domain}"
            nobody = "so nobody could administer the gateway; " if len(settings.auth.admins) == 1 else ""
            yield f"[auth] admins: {jid}: is the address of a domain, {nobody or 'and not of an account; '}write {account}"
    named = [jid for jid in settings.auth.admins if jid.local]
    if named and not any(jid.domain == domain for jid in named):
        shown = ", ".join(map(str, named))
        yield f"[auth] admins: {shown}: not at the hosted domain, so nobody could administer the gateway; write {named[0].local}@{domain}"


def remarks(settings: Settings) -> Iterator[str]:
    """Deprecated settings, and settings that are valid, but rarely intended."""
    yield from settings.notices
    yield from useless_rooms(settings)
    yield from file_remarks(settings)
    yield from cluster_remarks(settings)
    for place, value in (("link", settings.link.secret), ("auth", settings.auth.admin_password)):
        if re.fullmatch(r"""(['"]).*\1""", value):
            key = "secret" if place == "link" else "admin_password"
            yield f"[{place}] {key}: starts and ends with quotation marks, which are part of the value; remove them if they are not meant"
    link = [key for key in ("secret", "host", "port") if f"link.{key}" in settings.given]
    if link and "link.kind" not in settings.given:
        meaning = "is set, but kind is none, so the gateway runs standalone"
        yield f"[link] {link[0]}: {meaning}; write kind = component, or kind = none if that is meant"
    hosted = [jid for jid in settings.auth.admins if jid.domain == settings.gateway.domain]
    for jid in settings.auth.admins:
        if hosted and jid.domain != settings.gateway.domain:
            yield f"[auth] admins: {jid}: not at the hosted domain, so it administers nothing; write {jid.local}@{settings.gateway.domain}"


MEANT = {"postgres": "postgresql", "sqlite3": "sqlite", "lite": "sqlite", "json": "jsonfile", "file": "flatfile", "internal": "flatfile"}
"""Names of drivers that are known from other programs."""


def _storage_problems(settings: Settings) -> Iterator[str]:
    """Problems of the storage URL, without opening it. The sentences leave out its end, which may hold a password."""
    url = settings.storage.url
    scheme, colon, rest = url.partition(":")
    known = ", ".join(sorted(DRIVERS))
    if not colon and scheme not in DRIVERS and re.fullmatch(r"[\w./-]+", url):
        yield f"[storage] url: there is no driver before the place; write {'sqlite' if Path(url).suffix else 'flatfile'}:{url}"
    elif scheme not in DRIVERS and "." not in scheme:
        meant = MEANT.get(scheme) or next(iter(get_close_matches(scheme, DRIVERS, 1)), "")
        remedy = f"did you mean {meant}?" if meant else f"write one of {known}, a colon and the place"
        yield f"[storage] url: {scheme!r} is not a storage driver; {remedy}"
    elif not rest:
        yield f"[storage] url: the place is missing; write {scheme}: and a path, such as sqlite:gateway.sqlite"
    elif scheme in ("sqlite", "flatfile", "jsonfile") and (re.match(r"//[^/]", rest) or re.search(r"(?:^|\s)[;#]|^['\"]", rest)):
        remedy = f"write {scheme}:gateway, or {scheme}:/path/of/it, without // and without a comment after it"
        yield f"[storage] url: the place is a path alone; {remedy}"


def _worker_problems(settings: Settings) -> Iterator[str]:
    written = settings.server.worker_class
    module = written.rpartition(".")[0]
    try:
        found = find_spec(module) is not None if module else written in WORKER_CLASSES
    except ImportError:  # not even its package exists
        found = False
    if not found:
        yield f"[server] worker_class = {written!r}: there is no such worker; write xmpp_rest.serving.worker.Worker, gthread or gevent"


def _rights_problems(settings: Settings, commands: Commands) -> Iterator[str]:
    """Unknown commands and tags in rules."""
    for name, right in settings.rights.items():
        for entry in (e.removeprefix("!") for e in right.what):
            known = commands.tags if entry[0] == "[" else commands.names
            if entry != "*" and entry.removeprefix("[tag:").removesuffix("]") not in known:
                remedy = "`xmpp-restctl help commands` and `help tags` list them"
                yield f"[rights.{name}] what: {entry}: there is no such command or tag; {remedy}"
