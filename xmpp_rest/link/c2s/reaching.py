"""Reaches the server of a domain: the first of its addresses that has TLS and a good certificate (accounts-anywhere §3, §4.1)."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.link.c2s.addresses import in_url
from xmpp_rest.link.c2s.failures import BAD_CERTIFICATE, NO_SERVER, NO_TLS, UNREACHABLE, LoginFailed
from xmpp_rest.link.c2s.login_stream import LoginStream
from xmpp_rest.link.c2s.login_time import LoginTime
from xmpp_rest.link.c2s.server_finder import ServerAddress, ServerFinder, ascii_name
from xmpp_rest.link.c2s.tls import NOT_VALID, TlsContexts
from xmpp_rest.protocol.namespaces import TLS
from xmpp_rest.protocol.stanza import child

_ELSEWHERE = (NO_SERVER, UNREACHABLE, NO_TLS, BAD_CERTIFICATE)
"""Failures after which the next address is tried; of several, the last one here is told."""


class ReachedServer(NamedTuple):
    """Where nothing but the account is missing."""

    stream: LoginStream  # with TLS
    features: Element
    address: str  # with its port


class Reaching:
    """Tries the addresses of a domain one after the other."""

    def __init__(self, login: LoginSettings, sessions: SessionsSettings, finder: ServerFinder, contexts: TlsContexts) -> None:
        self._login = login
        self._sessions = sessions
        self._finder = finder
        self._contexts = contexts

    def reach(self, domain: str, stop: Callable[[], bool]) -> ReachedServer:
        """The first one that is good; the caller closes its stream. Raises LoginFailed."""
        time = LoginTime(domain, self._sessions.login_timeout, stop)
        name = ascii_name(domain)
        failed = None
        for server in self._finder.addresses(self._login, name, time):
            try:
                return self._reach(server, name, time)
            except LoginFailed as e:
                if e.name not in _ELSEWHERE:
                    raise
                if failed is None or _ELSEWHERE.index(e.name) >= _ELSEWHERE.index(failed.name):
                    failed = e
        raise failed or LoginFailed(NO_SERVER, domain, "no address that may be asked")

    def _reach(self, server: ServerAddress, name: str, time: LoginTime) -> ReachedServer:
        address = in_url(server.address, server.port)
        context = self._context(server, time.domain)
        part = time.part(self._sessions.connect_timeout)
        try:
            stream = LoginStream(_connected(server, part), part)
            try:
                if not server.direct:
                    _demand_tls(stream)
                stream.encrypt(context, name)
                stream.extend(time)
                return ReachedServer(stream, stream.open(), address)
            except BaseException:
                stream.close()
                raise
        except LoginFailed as e:
            raise LoginFailed(e.name, e.domain, f"{address}: {e.detail}", reason=e.reason, of_account=e.of_account) from e

    def _context(self, server: ServerAddress, domain: str) -> ssl.SSLContext:
        try:
            return self._contexts.of(self._login, direct=server.direct)
        except OSError as e:  # the file of authorities is gone or empty, which a check at the start has not seen
            raise LoginFailed(BAD_CERTIFICATE, domain, f"ca_file: {e}", reason=NOT_VALID) from e


def _connected(server: ServerAddress, time: LoginTime) -> socket.socket:
    """One connection to this very address: no second look-up. Raises LoginFailed."""
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in server.address else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as e:  # no descriptor is left
        raise LoginFailed(UNREACHABLE, time.domain, e.strerror or str(e)) from e
    try:
        _connect(sock, server, time)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, server: ServerAddress, time: LoginTime) -> None:
    sock.setblocking(False)
    failure = sock.connect_ex((server.address, server.port))
    if failure == errno.EINPROGRESS:
        time.wait(sock, writing=True)
        failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise LoginFailed(UNREACHABLE, time.domain, os.strerror(failure))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _demand_tls(stream: LoginStream) -> None:
    """STARTTLS, whether the server says that it is required or not (RFC 6120 §5.4). Raises LoginFailed."""
    features = stream.open()
    if features.find(f"{{{TLS}}}starttls") is None:
        raise LoginFailed(NO_TLS, stream.time.domain, "it offers no STARTTLS")
    stream.send(child(f"{{{TLS}}}starttls"))
    answer = stream.read()
    if answer.tag != f"{{{TLS}}}proceed":
        raise LoginFailed(NO_TLS, stream.time.domain, f"{answer.tag[:100]} in place of <proceed/>")
