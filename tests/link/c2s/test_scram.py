"""SCRAM as in the examples of its specifications, and what a server may say instead."""

from __future__ import annotations

import base64

import pytest

from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.sasl import PreparedCredentials, mechanism_for
from xmpp_rest.link.c2s.scram import ScramClient
from xmpp_rest.protocol.jid import parse_jid

EXAMPLES = {
    "SCRAM-SHA-1": (  # RFC 5802 §5
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "SCRAM-SHA-256": (  # RFC 7677 §3
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}
NONCE = "fyko+d2lbbFgONRv9qkxdawL"
SALT = base64.b64encode(b"salt").decode()


@pytest.mark.parametrize("mechanism", EXAMPLES)
def test_the_examples(mechanism: str) -> None:
    nonce, challenge, response, final = EXAMPLES[mechanism]
    client = ScramClient("", mechanism, "user", "pencil", None, nonce)
    assert client.first() == f"n,,n=user,r={nonce}".encode()
    assert client.respond(challenge) == response
    client.check(final)
    assert client.keys is not None
    again = ScramClient("", mechanism, "user", None, client.keys, nonce)  # by the keys, without the password
    assert again.respond(challenge) == response
    again.check(final)
    assert "pencil" not in repr(client.keys)
    assert base64.b64encode(client.keys.client_key).decode() not in repr(client.keys)


def test_nonces_differ_and_names_are_escaped() -> None:
    first, second = (ScramClient("", "SCRAM-SHA-512", "a=b,c", "", None).first() for _ in range(2))
    assert first.startswith(b"n,,n=a=3Db=2Cc,r=")
    assert len(base64.b64decode(first.rpartition(b"r=")[2])) == 24
    assert first != second


@pytest.mark.parametrize(
    ("challenge", "name"),
    [
        (f"r={NONCE},s={SALT},i=4096", "impostor"),
        (f"r=x{NONCE},s={SALT},i=4096", "impostor"),
        (f"r=,s={SALT},i=4096", "impostor"),
        (f"r={NONCE}x,s={SALT},i=4095", "no-login"),
        (f"r={NONCE}x,s={SALT},i=1000001", "no-login"),
        (f"r={NONCE}x,s={SALT},i=1000000000", "no-login"),
        (f"r={NONCE}x,s={SALT},i={'9' * 5000}", "no-login"),
        (f"r={NONCE}x,s={SALT},i=-4096", "no-login"),
        (f"r={NONCE}x,s={SALT},i=٤٠٩٦", "no-login"),
        (f"r={NONCE}x,s=,i=4096", "no-login"),
        (f"r={NONCE}x,s=!,i=4096", "no-login"),
        (f"r={NONCE}x,s=é,i=4096", "no-login"),
        (f"m=ext,r={NONCE}x,s={SALT},i=4096", "no-login"),
        (f"r={NONCE}x,r={NONCE}y,s={SALT},i=4096", "no-login"),
        (f"s={SALT},r={NONCE}x,i=4096", "no-login"),
        (f"r={NONCE}x", "no-login"),
        ("nonsense", "no-login"),
        ("", "no-login"),
        ("e=unknown-user", "wrong-password"),
        ("e=other-error", "no-login"),
    ],
)
def test_a_bad_challenge(challenge: str, name: str) -> None:
    with pytest.raises(LoginFailed) as raised:
        ScramClient("", "SCRAM-SHA-1", "user", "pencil", None, NONCE).respond(challenge.encode())
    assert raised.value.name == name


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(LoginFailed):
        ScramClient("", "SCRAM-SHA-1", "user", "pencil", None, NONCE).respond(b"\xff")


@pytest.mark.parametrize(
    ("final", "name"),
    [
        (b"v=smF9pqV8S7suAoZWja4dJRkFsKQ=", "impostor"),
        (b"v=", "impostor"),
        (b"", "impostor"),
        (b"v=!", "no-login"),
        (b"e=invalid-proof", "wrong-password"),
        (b"e=no-resources", "no-login"),
    ],
)
def test_a_bad_end(final: bytes, name: str) -> None:
    nonce, challenge, _, _ = EXAMPLES["SCRAM-SHA-1"]
    client = ScramClient("", "SCRAM-SHA-1", "user", "pencil", None, nonce)
    client.respond(challenge)
    with pytest.raises(LoginFailed) as raised:
        client.check(final)
    assert raised.value.name == name


def test_an_end_without_a_beginning() -> None:
    with pytest.raises(LoginFailed, match="impostor"):
        ScramClient("", "SCRAM-SHA-1", "user", "pencil", None).check(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


@pytest.mark.parametrize("change", [{"salt": b"other"}, {"iterations": 5000}, {"mechanism": "SCRAM-SHA-256"}])
def test_keys_for_something_else(change: dict[str, object]) -> None:
    nonce, challenge, response, _ = EXAMPLES["SCRAM-SHA-1"]
    keys = ScramKeys("SCRAM-SHA-1", base64.b64decode("QSXCR+Q6sek8bf92"), 4096, b"x" * 20, b"y" * 20)._replace(**change)  # type: ignore[arg-type]
    with pytest.raises(LoginFailed) as raised:
        ScramClient("", "SCRAM-SHA-1", "user", None, keys, nonce).respond(challenge)
    assert raised.value.name == "stale-keys"
    assert raised.value.to_error().name == "session-lost"
    assert ScramClient("", "SCRAM-SHA-1", "user", "pencil", keys, nonce).respond(challenge) == response  # the password serves


KEYS = ScramKeys("SCRAM-SHA-1", b"salt", 4096, b"c", b"s")


@pytest.mark.parametrize(
    ("offered", "by", "chosen"),
    [
        ("PLAIN SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512", "password", "SCRAM-SHA-512"),
        ("PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "password", "SCRAM-SHA-256"),
        ("PLAIN SCRAM-SHA-1-PLUS SCRAM-SHA-1 DIGEST-MD5", "password", "SCRAM-SHA-1"),
        ("PLAIN X-OAUTH2 SCRAM-SHA-1-PLUS", "password", "PLAIN"),
        ("EXTERNAL ANONYMOUS plain", "password", ""),
        ("", "password", ""),
        ("SCRAM-SHA-256 SCRAM-SHA-1", "keys", "SCRAM-SHA-1"),
        ("SCRAM-SHA-256", "keys", "SCRAM-SHA-256"),  # for which the keys are of no use
        ("PLAIN", "keys", "PLAIN"),
    ],
)
def test_which_mechanism(offered: str, by: str, chosen: str) -> None:
    given = LoginCredentials(parse_jid("romeo@montague.example"), "p" if by == "password" else None, KEYS if by == "keys" else None)
    assert mechanism_for(offered.split(), PreparedCredentials(given)) == chosen


def test_credentials_do_not_show_themselves() -> None:
    given = LoginCredentials(parse_jid("romeo@montague.example"), "secret of mine", KEYS)
    assert "secret" not in f"{given!r} {given} {PreparedCredentials(given)!r}"
    assert "romeo@montague.example" in repr(given)
