"""The check of what is set for accounts of other servers: values that are each valid, but cannot work (accounts-anywhere §1.1, §7.5)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.login_readers import EVERY
from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.config.table import Settings


def described_logins(settings: Settings) -> Iterator[str]:
    """Whose accounts may come in, and how their servers are found, a line each."""
    for name, login in settings.logins.items():
        how = {"auto": "by direct TLS or STARTTLS", "direct": "by direct TLS", "starttls": "by STARTTLS"}[login.tls]
        where = f"at {login.host}{f':{login.port}' if login.port else ''}" if login.host else "where DNS says"
        private = ", also at private addresses" if login.private and not login.host else ""
        domains = ", ".join("any other domain" if pattern == EVERY else pattern for pattern in login.domains)
        yield f"let accounts of {domains} log in at their own server, {where}, {how}{private}, by [login.{name}]"


def login_problems(settings: Settings) -> Iterator[str]:
    """What is wrong, a sentence each."""
    seen: dict[str, str] = {}
    for name, login in settings.logins.items():
        for pattern in login.domains:
            if pattern in settings.domains:
                yield f"[login.{name}] domains: {pattern}: is hosted here, so its accounts are the gateway's own; leave it out"
            if (other := seen.setdefault(pattern, name)) != name:
                yield f"[login.{name}] domains: {pattern}: is in [login.{other}] already; keep it in one of the two"
        yield from _place_problems(f"[login.{name}]", login)
        yield from _authority_problems(f"[login.{name}]", login)
    yield from _admin_problems(settings)


def _place_problems(where: str, login: LoginSettings) -> Iterator[str]:
    if login.port is None:
        return
    if not login.host:
        yield f"{where} port: is of no use without host; write host = the name or address of the server, or leave port to DNS"
    if login.tls == "auto":
        yield f"{where} port: say whether it is direct or starttls, in tls"


def _authority_problems(where: str, login: LoginSettings) -> Iterator[str]:
    """What is wrong with the file of authorities."""
    if login.ca_file is None:
        return
    try:
        if not _has_authorities(login.ca_file):
            yield f"{where} ca_file = {login.ca_file}: holds no certificate in PEM form"
    except OSError as e:
        yield f"{where} ca_file = {login.ca_file}: cannot be read: {e.strerror}; write the path of a PEM file that this user may read"


def _has_authorities(file: Path) -> bool:
    """Whether there is a certificate in the file, and not another thing or a list of revoked ones alone. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(ssl.SSLError):
        context.load_verify_locations(file)
    return bool(context.cert_store_stats()["x509"])


def _admin_problems(settings: Settings) -> Iterator[str]:
    """Administrators whose password another server would have."""
    domains, hosted = LoginDomains(settings.logins, settings.domains), settings.gateway.domain
    for jid in settings.auth.admins:
        if jid.local and (login := domains.of(jid.domain)) is not None:
            yield f"[auth] admins: {jid}: is an account of another server, by [login.{login.name}]; administrators are accounts of {hosted}"
