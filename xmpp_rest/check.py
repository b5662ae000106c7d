"""What would the gateway do by this configuration? A few lines for whoever is about to start it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xmpp_rest.api.commands import registry
from xmpp_rest.configuration import SettingsError
from xmpp_rest.settings import Settings


def describe(settings: Settings) -> Iterator[str]:
    """One line for each thing that it would do; secrets are not shown."""
    server, gateway, link = settings.server, settings.gateway, settings.link
    data_dir = Path(settings.base) / server.data_dir
    host, port = server.bind
    yield f"serve http://{host}:{port} with {server.workers} process(es) of {server.threads} threads ({server.worker_class})"
    yield f"keep everything in {data_dir}, accounts by {settings.storage.url.partition(':')[0]}"
    yield f"host {gateway.domain}" + "".join(f", {d}" for d in (gateway.rooms_domain, gateway.conference_domain) if d)
    if link.kind == "component":
        yield f"attach each of them as a component to {link.host}:{link.port}" + ("" if link.secret else " WITHOUT A SECRET")
    else:
        yield "stand alone: hosted users reach each other, and nobody else"
    yield f"take {', '.join(map(str, settings.auth.admins))} as administrator(s)"
    for name, callback in settings.callbacks.items():
        addresses = ", ".join(map(str, callback.address))
        yield f"POST {', '.join(sorted(callback.kinds))} for {addresses} to the URL of [callback.{name}]"


def require_sense(settings: Settings) -> None:
    """Refuse what cannot work although every value by itself is right. Raises SettingsError."""
    if problems := _problems(settings):
        raise SettingsError(problems)


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
    return problems + list(_rights_problems(settings))


def _rights_problems(settings: Settings) -> Iterator[str]:
    """Commands and tags that rules name, and that there are none of."""
    offered = registry()
    for name, right in settings.rights.items():
        for entry in (e.removeprefix("!") for e in right.what):
            known = offered.tags if entry[0] == "[" else offered.names
            if entry != "*" and entry.removeprefix("[tag:").removesuffix("]") not in known:
                remedy = "`xmpp-restctl help commands` and `help tags` list them"
                yield f"[rights.{name}] what: {entry}: there is no such command or tag; {remedy}"
