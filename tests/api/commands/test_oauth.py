"""Bearer tokens open what their scopes and their owner allow, and nothing else (commands-api §13, §5)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, basic
from xmpp_rest.auth import tokens
from xmpp_rest.gateway.gateway import Gateway

ADMIN = f"admin@{DOMAIN}"
HOST = {"host": DOMAIN}
BAD = (401, {"status": "error", "code": 10, "message": "Oauth Token is invalid or expired."})


def issue(run: Run, jid: str = ADMIN, scopes: Any = ("ejabberd:admin",), ttl: int = 3600) -> dict[str, str]:
    answer = run("oauth_issue_token", {"jid": jid, "ttl": ttl, "scopes": list(scopes)})
    assert answer.status == 200, answer
    return {"Authorization": f"Bearer {answer.body['token']}"}


def test_a_token_in_each_version(run: Run) -> None:
    v0 = run("oauth_issue_token/v0", {"jid": ADMIN, "ttl": 60, "scopes": "ejabberd:admin;;get_roster;"}).body
    v1 = run("oauth_issue_token/v1", {"jid": ADMIN, "ttl": 60, "scopes": ["sasl_auth", "ejabberd:user"]}).body
    assert (v0["scopes"], v0["expires_in"]) == ("ejabberd:admin;get_roster", "60 seconds")
    assert v1["scopes"] == ["ejabberd:user", "sasl_auth"]
    assert re.fullmatch(r"[A-Za-z0-9]{32}", v0["token"])
    assert v0["token"] != v1["token"]


@pytest.mark.parametrize(
    ("jid", "scopes", "status"),
    [
        (ADMIN, ["ejabberd:admin"], 200),
        (ADMIN.upper() + "/phone", ["ejabberd:admin"], 200),
        (ADMIN, [], 403),
        (ADMIN, ["ejabberd:user", "registered_users"], 403),
        (f"juliet@{DOMAIN}", ["ejabberd:admin"], 403),
        ("romeo@montague.example", ["ejabberd:admin"], 403),
        (f"nobody@{DOMAIN}", ["ejabberd:admin"], 403),
    ],
)
def test_what_a_token_opens(run: Run, jid: str, scopes: list[str], status: int) -> None:
    assert run("registered_users", HOST, issue(run, jid, scopes)).status == status


def test_spaces_around_a_token(run: Run) -> None:
    field = issue(run)["Authorization"].replace("Bearer ", "Bearer   ") + "  "
    assert run("registered_users", HOST, {"Authorization": field}).status == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_in_any_case(run: Run, scheme: str) -> None:
    field = issue(run)["Authorization"].replace("Bearer", scheme)
    assert run("registered_users", HOST, {"Authorization": field}).status == 200
    assert run("registered_users", HOST, {"Authorization": basic(ADMIN)["Authorization"].replace("Basic", "BASIC")}).status == 200
    assert run("registered_users", HOST, {"Authorization": f"{scheme} nothing"}).status == 401


def test_expired_tokens(run: Run) -> None:
    assert run("registered_users", HOST, issue(run, ttl=-5)) == BAD
    (row,) = run("oauth_list_tokens").body
    assert (row["user"], row["scope"]) == (ADMIN, "ejabberd:admin")
    assert int(row["expires_in"].removesuffix(" seconds")) <= -5


def test_long_expired_tokens_are_forgotten(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(run, ttl=-90_000)
    issue(run)
    assert len(run("oauth_list_tokens").body) == 2  # not looked for each time
    monkeypatch.setattr(tokens, "SWEEP", 0)
    issue(run)
    assert len(run("oauth_list_tokens").body) == 2


def test_the_token_that_ends_first_gives_way(run: Run, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 3)
    expired, long = issue(run, ttl=-5), issue(run, ttl=9000)
    revoked = issue(run, ttl=80)
    run("oauth_revoke_token", {"token": revoked["Authorization"].split()[1]})
    short, middle = issue(run, ttl=60), issue(run, ttl=600)
    others = issue(run, jid=f"juliet@{DOMAIN}", ttl=5), issue(run, jid="romeo@montague.example", ttl=5)
    assert [run("registered_vhosts", {}, token).status for token in (expired, long, revoked, short, middle)] == [401, 200, 401, 200, 200]
    newest = issue(run, ttl=10)
    assert [run("registered_vhosts", {}, token).status for token in (long, short, middle, newest)] == [200, 401, 200, 200]
    assert len(gateway.driver.load("admin", DOMAIN, "oauth_tokens") or ()) == 3
    assert run("registered_vhosts", {}, others[0]).status == 403


@pytest.mark.parametrize("by_hash", [True, False])
def test_revoking(run: Run, by_hash: bool) -> None:
    token, other = issue(run), issue(run, scopes=[])
    name = next(r["token"] for r in run("oauth_list_tokens").body if r["scope"]) if by_hash else token["Authorization"].split()[1]
    assert run("oauth_revoke_token", {"token": name}) == (200, "")
    assert run("registered_users", HOST, token) == BAD
    assert run("registered_users", HOST, other).status == 403
    assert run("oauth_revoke_token", {"token": name}) == (200, "")


def test_a_token_of_a_banned_administrator(run: Run) -> None:
    token = issue(run)
    run("ban_account", {"user": "admin", "host": DOMAIN, "reason": ""}, token)
    assert run("registered_users", HOST, token) == BAD


def test_only_a_hash_is_kept(run: Run, gateway: Gateway) -> None:
    text = issue(run)["Authorization"].split()[1]
    kept = [(u, gateway.driver.load(u, DOMAIN, "oauth_token")) for u in gateway.driver.users(DOMAIN, "oauth_token")]
    assert len(kept) == 1
    assert text not in str(kept)
    assert text not in str(run("oauth_list_tokens").body)
    assert run("registered_users", HOST, {"Authorization": f"Bearer {kept[0][0]}"}) == BAD


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        ({"jid": "@@", "ttl": 1, "scopes": []}, "Invalid JID: @@"),
        ({"jid": "", "ttl": 1, "scopes": []}, "Invalid JID: "),
        ({"jid": ADMIN, "ttl": 1, "scopes": ["ejabberd:god"]}, "invalid_scope"),
        ({"jid": ADMIN, "ttl": 1, "scopes": ["ejabberd:admin", "x"]}, "invalid_scope"),
        ({"jid": ADMIN, "ttl": 10**30, "scopes": []}, "a token lasts at most 10000000000 seconds"),
    ],
)
def test_refusals(run: Run, args: dict[str, Any], answer: str) -> None:
    assert run("oauth_issue_token", args) == (400, answer)
