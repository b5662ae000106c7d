"""One login, from the name of a domain to the bound session (accounts-anywhere §3, §4). Blocking, with deadlines; one attempt."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.link.c2s.binding import Binding
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.reaching import Reaching
from xmpp_rest.link.c2s.sasl import PreparedCredentials, authenticate
from xmpp_rest.link.c2s.server_finder import ServerFinder
from xmpp_rest.link.c2s.tls import TlsContexts


def log_in(
    login: LoginSettings,
    credentials: LoginCredentials,
    sessions: SessionsSettings,
    resource: str,
    finder: ServerFinder,
    contexts: TlsContexts,
    resumption: Resumption | None = None,
    *,
    stop: Callable[[], bool],
) -> OpenedStream:
    """A stream on which the account is bound, or the session of `resumption`, whose resource `resource` is then, goes on.

    `stop`: whether to give up; asked several times a second. Raises LoginFailed.
    """
    prepared = PreparedCredentials(credentials)
    stream, features, server = Reaching(login, sessions, finder, contexts).reach(credentials.jid.domain, stop)
    with stream:
        keys = authenticate(stream, features, prepared)
        bound = Binding(stream, stream.open(), credentials.jid, resource).begin(resumption)
        socket, pending = stream.hand_over()
    return OpenedStream(
        socket, pending, bound.early, stream.header, bound.jid, keys, server, socket.version() or "",
        bound.management, bound.resumed, bound.acknowledged,
    )  # fmt: skip


def check(
    login: LoginSettings,
    credentials: LoginCredentials,
    sessions: SessionsSettings,
    finder: ServerFinder,
    contexts: TlsContexts,
    *,
    stop: Callable[[], bool],
) -> ScramKeys | None:
    """Prove the credentials to the server, without a session; the keys that the password gave, None after PLAIN. Raises LoginFailed."""
    prepared = PreparedCredentials(credentials)
    stream, features, _ = Reaching(login, sessions, finder, contexts).reach(credentials.jid.domain, stop)
    with stream:
        return authenticate(stream, features, prepared)
