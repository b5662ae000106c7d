"""`xmpp-rest token list` and `token revoke`. (Making tokens: test_xmpp_rest.py.)"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cli.inside import Place, place
from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.cli import __main__ as restctl
from xmpp_rest.protocol.jid import parse_jid

ADMIN, JULIET = parse_jid(f"admin@{DOMAIN}"), parse_jid(f"juliet@{DOMAIN}")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("token")) as found:
        found.gateway.parts.accounts.register(JULIET, PASSWORD)
        yield found


def ids(here: Place, *words: str) -> list[str]:
    return [line.split("\t")[0] for line in here.run("token", "list", *words).out.splitlines()]


def test_listing(here: Place) -> None:
    text = here.run("token", str(JULIET), "--ttl", "1h", "--may-send-to", "ops@*", "--may-send-to", "a@b").out.strip()
    here.run("token", str(ADMIN), "--scope", "ejabberd:admin")
    ran = here.run("token", "list")
    assert (ran.code, ran.err, text in ran.out) == (0, "", False)
    admins, juliets = ran.out.splitlines()
    assert re.fullmatch(rf"[0-9a-f]{{16}}\t{ADMIN}\tejabberd:admin\t{TIME}\t{TIME}", admins)
    assert re.fullmatch(rf"[0-9a-f]{{16}}\t{JULIET}\tsend:a@b,send:ops@\*\t{TIME}\t{TIME}", juliets)
    assert here.run("token", "list", str(JULIET)).out == juliets + "\n"
    here.gateway.parts.tokens.issue(JULIET, ["ejabberd:user"], -5)  # has expired
    assert len(ids(here)) == 2


def test_revoking(here: Place) -> None:
    kept = here.token(JULIET)
    before = ids(here, str(JULIET))
    gone = here.run("token", str(JULIET)).out.strip()
    (new,) = set(ids(here, str(JULIET))) - set(before)
    assert here.away("send", str(JULIET), "x", token=gone).code == 0
    assert here.run("token", "revoke", new[:8]) == (0, "", "")
    assert here.away("send", str(JULIET), "x", token=gone).code == 77
    assert here.away("send", str(JULIET), "x", token=kept).code == 0
    assert ids(here, str(JULIET)) == before
    again = here.run("token", "revoke", new)
    assert (again.code, f"there is no token {new}" in again.err) == (66, True)
    audit = (here.config.parent / "data" / "audit.log").read_text()
    assert new in audit
    assert gone not in audit


@pytest.mark.parametrize("words", [["revoke"], ["revoke", "abc"], ["list", DOMAIN], [str(JULIET), "x"], []])
def test_wrong_words(here: Place, words: list[str]) -> None:
    assert here.run("token", *words).code == 64


def test_by_restctl(here: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    here.token(JULIET)
    monkeypatch.setenv("XMPP_REST_CONFIG", str(here.config))
    for words, code in (("list",), 0), (("revoke", "0123456789"), 1), (("revoke", "x"), 2), (("nobody@capulet.example",), 1), ((DOMAIN,), 2):
        assert restctl.main(["token", *words]) == code, words
    assert str(JULIET) in capsys.readouterr().out
