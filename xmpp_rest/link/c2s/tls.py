"""TLS to the server of an account: its certificate must be good for the domain of the account's address (accounts-anywhere §4.1)."""

from __future__ import annotations

import ssl
import threading
from socket import socket

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.link.c2s.failures import BAD_CERTIFICATE, NO_SERVER, NO_TLS, UNREACHABLE, LoginFailed
from xmpp_rest.link.c2s.login_time import LoginTime
from xmpp_rest.link.c2s.tls_socket import TlsSocket

ALPN = "xmpp-client"  # XEP-0368 §5
OTHER_NAME, EXPIRED = 62, 10  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED
OTHER_ADDRESS = 64  # X509_V_ERR_IP_ADDRESS_MISMATCH
_REASONS = {
    OTHER_NAME: "it is for another name",
    OTHER_ADDRESS: "it is for another name",
    EXPIRED: "it has expired",
    **dict.fromkeys(range(18, 22), "nobody that is trusted has issued it"),  # self-signed, or an issuer that is not there
}
NOT_VALID = "it is not valid"
UNKNOWN_NAME = "UNRECOGNIZED_NAME"  # RFC 6066 §3: the alert for a domain that a server does not serve, as Prosody sends it


class TlsContexts:
    """One context for each section `[login.NAME]` and way of TLS; all sessions of a section share it."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], tuple[LoginSettings, ssl.SSLContext]] = {}
        self._lock = threading.Lock()

    def of(self, login: LoginSettings, *, direct: bool) -> ssl.SSLContext:
        """The one of this section as it is now. Raises OSError where its `ca_file` cannot be read or holds no certificate."""
        with self._lock:
            known, context = self._made.get((login.name, direct), (None, None))
            if context is None or known != login:
                context = _new_context(login, direct)
                self._made[login.name, direct] = login, context
            return context

    def forget(self) -> None:
        """Make them again, since a file of authorities may have changed."""
        with self._lock:
            self._made.clear()


def _new_context(login: LoginSettings, direct: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=login.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # before TLS 1.3 it takes as long as a login, in the thread of all sessions
    context.hostname_checks_common_name = False  # RFC 6120 §13.7.2.1: DNS-ID; not what a subject says
    if direct:
        context.set_alpn_protocols([ALPN])
    return context


def encrypted(sock: socket, context: ssl.SSLContext, domain: str, time: LoginTime) -> TlsSocket:
    """The socket with TLS, once the server has proven to be that of `domain` (A-labels, or an address).

    The socket given is used up. Raises LoginFailed.
    """
    try:
        made = TlsSocket(sock, context, domain)
    except (OSError, ValueError) as e:  # it broke meanwhile; no certificate can be for this name
        raise LoginFailed(UNREACHABLE, time.domain, str(e)) from e
    try:
        _shake_hands(made, time)
    except BaseException:
        made.close()
        raise
    return made


def _shake_hands(sock: TlsSocket, time: LoginTime) -> None:
    try:
        while True:
            try:
                return sock.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as e:
                time.wait(sock, writing=isinstance(e, ssl.SSLWantWriteError))
    except ssl.SSLCertVerificationError as e:
        reason = _REASONS.get(e.verify_code, NOT_VALID)
        raise LoginFailed(BAD_CERTIFICATE, time.domain, e.verify_message, reason=reason) from e
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as e:
        raise LoginFailed(UNREACHABLE, time.domain, "it ended the connection instead of TLS") from e
    except ssl.SSLError as e:
        reason = e.reason or str(e)
        raise LoginFailed(NO_SERVER if UNKNOWN_NAME in reason else NO_TLS, time.domain, reason) from e
    except OSError as e:
        raise LoginFailed(UNREACHABLE, time.domain, e.strerror or str(e)) from e
