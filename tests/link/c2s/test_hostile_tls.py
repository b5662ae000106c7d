"""No byte of a password goes to a server that has not proven to be that of the domain (accounts-anywhere §4.1)."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable

import pytest

from tests.authority import Authority, Certificate
from tests.link.c2s.hostile import DOMAIN, HEADER, PROCEED, STARTTLS, HostileServer, Peer, mechanisms, open_to
from tests.link.c2s.settings import sessions
from xmpp_rest.link.c2s.credentials import LoginCredentials
from xmpp_rest.protocol.jid import parse_jid

FEATURES = f"{HEADER}<stream:features>{mechanisms('PLAIN')}</stream:features>"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda a: a.issue("capulet.example"), "it is for another name"),
        (lambda a: a.issue(subject=f"/CN={DOMAIN}"), "it is for another name"),
        (lambda a: a.issue("*.example", "127.0.0.1", f"a.{DOMAIN}", f"*.{DOMAIN}"), "it is for another name"),
        (lambda a: a.issue(DOMAIN, days=-1), "it has expired"),
        (lambda a: a.self_signed(DOMAIN), "nobody that is trusted has issued it"),
        (lambda a: Authority(a.folder / "other").issue(DOMAIN), "nobody that is trusted has issued it"),
        (lambda a: a.issue(DOMAIN, usage="clientAuth"), "it is not valid"),
    ],
    ids=["name", "common-name", "wildcards", "expired", "self-signed", "other-authority", "usage"],
)
@pytest.mark.parametrize("tls", ["direct", "starttls"])
def test_a_bad_certificate(
    hostile: HostileServer, c2s_authority: Authority, make: Callable[[Authority], Certificate], reason: str, tls: str
) -> None:
    certificate = make(c2s_authority)

    def script(peer: Peer) -> None:
        if tls == "starttls":
            peer.open(STARTTLS)
            peer.read("/>")
            peer.send(PROCEED)
        peer.encrypt(certificate)
        peer.until_closed()

    failed = hostile.failure(script, tls)
    hostile.close()
    assert (failed.name, failed.reason) == ("bad-certificate", reason)
    error = failed.to_error()
    assert (error.row.status, error.text) == (502, f"The certificate of {DOMAIN} is not valid ({reason}); the password was not sent")
    assert "<auth" not in hostile.peers[0].seen
    assert hostile.peers[0].seen.count("<") <= (3 if tls == "starttls" else 0)  # header and <starttls/>; nothing


def test_a_wildcard_of_the_domain_above_is_good(hostile: HostileServer, c2s_authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.encrypt(c2s_authority.issue(f"*.{DOMAIN}"))
        peer.open()

    below = LoginCredentials(parse_jid(f"romeo@verona.{DOMAIN}"), "any")
    assert hostile.failure(script, credentials=below).name == "no-login"  # behind TLS


@pytest.mark.parametrize(
    ("tls", "script"),
    [
        ("starttls", lambda peer: peer.open(mechanisms("PLAIN", "SCRAM-SHA-1"))),
        ("starttls", lambda peer: (peer.open(STARTTLS), peer.read("/>"), peer.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))),
        ("starttls", lambda peer: (peer.open(STARTTLS), peer.read("/>"), peer.send(f"{PROCEED}{FEATURES}"), peer.until_closed())),
        ("starttls", lambda peer: (peer.open(STARTTLS), peer.read("/>"), peer.send(f"{PROCEED} "), peer.until_closed())),
        ("starttls", lambda peer: (peer.open(STARTTLS), peer.read("/>"), peer.send(PROCEED), peer.send(FEATURES), peer.until_closed())),
        ("direct", lambda peer: (peer.send(FEATURES), peer.until_closed())),
    ],
    ids=["none", "failure", "injection", "space", "no-handshake", "plain"],
)
def test_no_encryption(hostile: HostileServer, tls: str, script: Callable[[Peer], object]) -> None:
    failed = hostile.failure(script, tls)
    hostile.close()
    assert (failed.name, failed.to_error().row.status) == ("no-tls", 502)
    assert "<auth" not in hostile.peers[0].seen


def test_an_old_version_of_tls(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            peer.encrypt(minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1)

    assert hostile.failure(script).name in ("no-tls", "unreachable")  # as the server ends it


@pytest.mark.parametrize("tls", ["direct", "starttls"])
def test_what_the_server_is_told(hostile: HostileServer, tls: str) -> None:
    asked: list[object] = []

    def script(peer: Peer) -> None:
        if tls == "starttls":
            asked.append(peer.open(STARTTLS))
            peer.read("/>")
            peer.send(PROCEED)
        peer.encrypt(sni_callback=lambda sock, name, context: asked.append(name))
        assert isinstance(peer.sock, ssl.SSLSocket)
        asked.append(peer.sock.selected_alpn_protocol())
        asked.append(peer.open())

    hostile.failure(script, tls)
    hostile.close()
    header = (
        f"<stream:stream to='{DOMAIN}' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    header = header.replace("'", '"', 2)  # of `to`
    assert asked == ([DOMAIN, "xmpp-client", header] if tls == "direct" else [header, DOMAIN, None, header])


def test_a_name_that_the_server_does_not_serve(hostile: HostileServer) -> None:
    """Prosody answers direct TLS for another domain so."""
    failed = hostile.failure(lambda peer: peer.encrypt(sni_callback=lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME))
    assert failed.name == "no-server"


def test_a_file_of_authorities_that_is_gone(hostile: HostileServer, c2s_authority: Authority) -> None:
    kept = c2s_authority.ca_file.rename(c2s_authority.folder / "kept.pem")
    try:
        failed = hostile.failure(Peer.until_closed)
    finally:
        kept.rename(c2s_authority.ca_file)
    assert (failed.name, failed.reason) == ("bad-certificate", "it is not valid")


@pytest.mark.parametrize("tls", ["direct", "starttls"])
def test_a_server_that_ends_the_connection_instead_of_tls(hostile: HostileServer, tls: str) -> None:
    def script(peer: Peer) -> None:
        if tls == "starttls":
            peer.open(STARTTLS)
            peer.read("/>")
            peer.send(PROCEED)

    assert hostile.failure(script, tls).name == "unreachable"


def test_a_server_that_is_silent_in_the_handshake(hostile: HostileServer) -> None:
    failed = hostile.failure(Peer.until_closed, settings=sessions(connect_timeout=0.3))
    assert failed.name == "unreachable"
    assert "nothing within 0.3 s" in failed.detail


def test_the_login_goes_on_behind_tls(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        peer.starttls()
        peer.open(mechanisms("SCRAM-SHA-1"))
        peer.say("success", peer.scram())
        peer.open("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
        peer.bind()
        peer.until_closed()

    with open_to(hostile.log_in(script, "starttls")) as sock:
        assert sock.version() == "TLSv1.3"
        with pytest.raises(ssl.SSLWantReadError):
            sock.recv(1)
