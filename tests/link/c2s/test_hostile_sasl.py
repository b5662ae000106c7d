"""What a server may say instead of success: one attempt, whose failure is final (accounts-anywhere §4.2, §6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.link.c2s.hostile import DOMAIN, PASSWORD, ROMEO, SASL, HostileServer, Peer, mechanisms, open_to
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.protocol.jid import parse_jid


def scripted(*rest: Callable[[Peer], object], offered: str = "SCRAM-SHA-1") -> Callable[[Peer], None]:
    """TLS, the features, and then this; the client has to hang up by itself."""

    def script(peer: Peer) -> None:
        peer.encrypt()
        peer.open(mechanisms(*offered.split()))
        for step in rest:
            step(peer)
        peer.until_closed()

    return script


def failure(condition: str) -> Callable[[Peer], object]:
    return lambda peer: (peer.read("</auth>"), peer.send(f"<failure xmlns='{SASL}'><{condition}/><text>no</text></failure>"))


@pytest.mark.parametrize(
    ("condition", "name", "status"),
    [
        ("not-authorized", "wrong-password", 403),
        ("malformed-request", "wrong-password", 403),
        ("incorrect-encoding", "wrong-password", 403),
        ("invalid-authzid", "wrong-password", 403),
        ("account-disabled", "account-disabled", 403),
        ("credentials-expired", "account-disabled", 403),
        ("temporary-auth-failure", "login-later", 503),
        ("invalid-mechanism", "no-login", 502),
        ("mechanism-too-weak", "no-login", 502),
        ("encryption-required", "no-login", 502),
        ("aborted", "no-login", 502),
        ("x" * 900, "no-login", 502),
    ],
)
def test_a_refusal(hostile: HostileServer, condition: str, name: str, status: int) -> None:
    failed = hostile.failure(scripted(failure(condition), offered="PLAIN SCRAM-SHA-1 SCRAM-SHA-256"))
    hostile.close()
    assert (failed.name, failed.to_error().row.status) == (name, status)
    assert failed.of_account is (name == "login-later")
    assert len(failed.detail) < 1000
    (peer,) = hostile.peers
    assert peer.seen.count("<auth") == 1
    assert peer.seen.endswith("</stream:stream>")


@pytest.mark.parametrize("offered", ["", "EXTERNAL", "DIGEST-MD5 X-OAUTH2", "SCRAM-SHA-1-PLUS"])
def test_no_mechanism_that_is_known(hostile: HostileServer, offered: str) -> None:
    failed = hostile.failure(scripted(offered=offered))
    hostile.close()
    assert failed.name == "no-login"
    assert "<auth" not in hostile.peers[0].seen


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (lambda peer: (peer.scram(), peer.say("success", "v=bm8gc2lnbmF0dXJlLg==")), "impostor"),
        (lambda peer: peer.say("success", peer.scram(password="the password is not known here")), "impostor"),
        (lambda peer: (peer.scram(), peer.say("success")), "impostor"),
        (lambda peer: (peer.scram(), peer.say("challenge", "v=bm8gc2lnbmF0dXJlLg==")), "impostor"),
        (lambda peer: (peer.read("</auth>"), peer.say("success")), "impostor"),
        (lambda peer: (peer.read("</auth>"), peer.say("challenge", "r=of-the-server,s=c2FsdA==,i=4096")), "impostor"),
        (lambda peer: peer.scram(1_000_000_000), "no-login"),
        (lambda peer: peer.scram(1), "no-login"),
        (lambda peer: peer.scram(salt=b"x" * 1025), "no-login"),
        (lambda peer: (peer.read("</auth>"), peer.send(f"<challenge xmlns='{SASL}'>?</challenge>")), "no-login"),
        (lambda peer: (peer.read("</auth>"), peer.send(f"<challenge xmlns='{SASL}'>=</challenge>")), "no-login"),
        (lambda peer: (peer.read("</auth>"), peer.send("<message><body>no SASL</body></message>")), "no-login"),
        (lambda peer: (peer.read("</auth>"), peer.send("<stream:error><see-other-host/></stream:error>")), "unreachable"),
        (lambda peer: (peer.scram(), peer.say("success", "e=invalid-proof")), "wrong-password"),
    ],
    ids=[
        "signature", "password", "unsigned", "signature-as-challenge", "at-once", "nonce", "iterations", "one-iteration", "salt", "base64", "empty",
        "message", "error", "error-of-scram",
    ],
)  # fmt: skip
def test_a_server_that_does_not_know_the_password(hostile: HostileServer, step: Callable[[Peer], object], name: str) -> None:
    failed = hostile.failure(scripted(step))
    hostile.close()
    assert failed.name == name
    assert "<iq" not in hostile.peers[0].seen


def test_a_million_iterations_is_not_too_much(hostile: HostileServer) -> None:
    assert hostile.check(scripted(lambda peer: peer.say("success", peer.scram(1_000_000)))) is not None


def test_a_signature_in_a_challenge_of_its_own(hostile: HostileServer) -> None:
    def rest(peer: Peer) -> None:
        peer.say("challenge", peer.scram())
        peer.read("/>")
        peer.say("success")

    keys = hostile.check(scripted(rest))
    hostile.close()
    assert isinstance(keys, ScramKeys)
    assert hostile.peers[0].seen.endswith("</stream:stream>")
    assert "<iq" not in hostile.peers[0].seen


def test_plain_where_there_is_nothing_else(hostile: HostileServer) -> None:
    said: list[str] = []
    assert hostile.check(scripted(lambda peer: (said.append(peer.payload("auth")), peer.say("success")), offered="PLAIN X")) is None
    assert said == [f"\0romeo\0{PASSWORD}"]


@pytest.mark.parametrize("step", [lambda peer: peer.say("challenge"), lambda peer: peer.send("<iq/>")])
def test_plain_with_something_else_than_an_answer(hostile: HostileServer, step: Callable[[Peer], object]) -> None:
    failed = hostile.failure(scripted(lambda peer: (peer.read("</auth>"), step(peer)), offered="PLAIN"))
    assert failed.name == "no-login"


@pytest.mark.parametrize(
    "credentials",
    [
        LoginCredentials(ROMEO.jid, ""),
        LoginCredentials(ROMEO.jid, "bell\a"),
        LoginCredentials(parse_jid(DOMAIN), "anything"),
        LoginCredentials(ROMEO.jid, "x" * 1024),
    ],
)
def test_what_no_server_can_know_is_not_asked(hostile: HostileServer, credentials: LoginCredentials) -> None:
    failed = hostile.failure(Peer.until_closed, credentials=credentials)
    hostile.close()
    assert (failed.name, failed.to_error().name) == ("wrong-password", "unauthz")
    assert not hostile.peers


def test_a_password_is_prepared(hostile: HostileServer) -> None:
    given = LoginCredentials(ROMEO.jid, PASSWORD.replace(" ", "\N{NO-BREAK SPACE}"))
    assert hostile.check(scripted(lambda peer: peer.say("success", peer.scram())), credentials=given) is not None


def test_keys_in_place_of_the_password(hostile: HostileServer) -> None:
    keys = hostile.check(scripted(lambda peer: peer.say("success", peer.scram())))
    assert isinstance(keys, ScramKeys)
    by_keys = LoginCredentials(ROMEO.jid, keys=keys)

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.bind()

    with open_to(hostile.log_in(script, credentials=by_keys)) as sock:
        assert sock.fileno() >= 0
    assert hostile.failure(scripted(lambda peer: peer.scram(5000)), credentials=by_keys).name == "stale-keys"
    assert hostile.failure(scripted(offered="PLAIN"), credentials=by_keys).name == "stale-keys"
    hostile.close()
    assert all("<auth" not in peer.seen for peer in hostile.peers[3:])
