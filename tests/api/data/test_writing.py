"""PUT, POST and DELETE: what they store, and their answers."""

from __future__ import annotations

import pytest
from flask import Flask

from drivers import StorageError
from tests.api.data.conftest import ADMIN, JSON, JULIET, LUA, Ask, asker
from tests.conftest import DOMAIN, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway

LOCATION = f"http://localhost/data/{DOMAIN}/juliet/settings"
TYPES = [
    *((sent_as, '{"a":1}') for sent_as in [JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=utf-8;v=1", "Application/JSON"]),
    (LUA, "{ a = 1 }"),
    (f"{LUA}; charset=utf-8", "{ a = 1 }"),
]


@pytest.mark.parametrize(("sent_as", "body"), TYPES)
def test_a_put_replaces_the_table(ask: Ask, sent_as: str, body: str) -> None:
    for old in (None, '{"b":2}'):
        if old:
            ask("PUT", "/data/settings", body=old)
        response = ask("PUT", "/data/settings", body=body, sent_as=sent_as)
        assert (response.status_code, response.data, response.headers["Location"]) == (201, b"", LOCATION)
        assert "Content-Type" not in response.headers
        assert ask("GET", "/data/settings").data == b'{"a":1}'


@pytest.mark.parametrize(("sent_as", "body"), TYPES)
def test_a_post_appends_an_item(ask: Ask, sent_as: str, body: str) -> None:
    for n in (1, 2):
        response = ask("POST", "/data/settings", body=body, sent_as=sent_as)
        assert (response.status_code, response.data, response.headers["Location"]) == (201, b"", LOCATION)
        assert ask("GET", "/data/settings").json == [{"a": 1}] * n


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    "sent_as",
    ["", "text/plain", "application/x-www-form-urlencoded", "text/lua", "application/json+x", "application", "json", ";", "a/b/c", "\xff"],
)
def test_another_type_or_none(ask: Ask, method: str, sent_as: str) -> None:
    assert ask(method, "/data/settings", body='{"a":1}', sent_as=sent_as).status_code == 400
    assert ask("GET", "/data/settings").status_code == 404


BROKEN = {
    JSON: ["", " ", "false", "{", '{"a":}', "nil", "{ a = 1 }", '{"a":1} x', "'a'", "NaN", "[Infinity]", "-Infinity", '{"a":1,}', "01", "\ufeff"],
    LUA: ["", " ", "false", "nil", "return { a = 1 }", "{", "{ a = }", "{ a = 1+1 }", "os.exit()", "(function() while true do end end)()", "x"],
}  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(("sent_as", "body"), [(sent_as, body) for sent_as, bodies in BROKEN.items() for body in bodies])
def test_a_body_that_is_none(ask: Ask, method: str, sent_as: str, body: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask(method, "/data/settings", body=body, sent_as=sent_as)
    assert response.status_code == 400
    assert response.get_json()["detail"]
    ask("PUT", "/data/settings", body="{}") if method == "POST" else None
    assert ask("GET", "/data/settings").status_code == (404 if method == "POST" else 200)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_no_body_at_all(ask: Ask, method: str) -> None:
    assert ask(method, "/data/settings", fields={"Content-Type": JSON}).status_code == 400


@pytest.mark.parametrize(("sent_as", "body"), [(JSON, "{}"), (JSON, "[]"), (JSON, "null"), (LUA, "{}"), (LUA, "{ a = nil }"), (JSON, '{"__array":[]}')])
def test_an_empty_put_removes_the_table_and_leaves_the_list(ask: Ask, sent_as: str, body: str) -> None:
    assert ask("PUT", "/data/settings", body=body, sent_as=sent_as).status_code == 201
    assert ask("GET", "/data/settings").status_code == 404
    ask("PUT", "/data/settings", body='{"a":1}')
    ask("POST", "/data/settings", body='"item"')
    assert ask("PUT", "/data/settings", body=body, sent_as=sent_as).status_code == 201
    assert ask("GET", "/data/settings").data == b'["item"]'


@pytest.mark.parametrize(("sent_as", "body"), [(JSON, '"text"'), (JSON, "7"), (JSON, "1.5"), (JSON, "true"), (LUA, '"text"'), (LUA, "7"), (LUA, "true")])
def test_a_put_of_no_table_writes_nothing(ask: Ask, sent_as: str, body: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    assert ask("PUT", "/data/settings", body=body, sent_as=sent_as).status_code == 400
    assert ask("GET", "/data/settings").data == b'{"a":1}'


@pytest.mark.parametrize(
    ("sent_as", "body", "item"),
    [
        (JSON, '"text"', "text"),
        (JSON, "7", 7),
        (JSON, "0", 0),
        (JSON, '""', ""),
        (JSON, "true", True),
        (JSON, "null", {}),
        (JSON, "[]", {}),
        (JSON, "[[1]]", [[1]]),
        (LUA, "'text'", "text"),
        (LUA, "-7", -7),
        (LUA, "{}", {}),
        (LUA, "1, 2", 1),  # of several values the first counts
    ],
)
def test_a_post_takes_any_other_value(ask: Ask, sent_as: str, body: str, item: object) -> None:
    assert ask("POST", "/data/settings", body=body, sent_as=sent_as).status_code == 201
    assert ask("GET", "/data/settings").json == [item]


def test_put_and_post_leave_each_others_sort_alone(ask: Ask) -> None:
    ask("POST", "/data/settings", body='"item"')
    ask("PUT", "/data/settings", body='{"a":1}')
    ask("POST", "/data/settings", body='"second"')
    ask("PUT", "/data/settings", body="null")
    assert ask("GET", "/data/settings").data == b'["item","second"]'


def test_a_delete_removes_both_sorts_and_answers_the_same_for_none(ask: Ask) -> None:
    ask("POST", "/data/settings", body='"item"')
    ask("PUT", "/data/settings", body='{"a":1}')
    for _ in range(2):
        response = ask("DELETE", "/data/settings")
        assert (response.status_code, response.data) == (204, b"")
        assert ask("GET", "/data/settings").status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND"])
def test_other_methods(ask: Ask, method: str) -> None:
    assert ask(method, "/data/settings", body="{}").status_code == 405
    assert ask("GET", "/data/settings").status_code == 404


def test_a_part_cannot_be_put(ask: Ask) -> None:
    assert ask("PUT", "/data/settings", body='{"a":1}', fields={"Content-Range": "bytes 0-6/10"}).status_code == 400
    assert ask("GET", "/data/settings").status_code == 404


def test_the_location_is_below_the_public_url(make_app: MakeApp) -> None:
    ask = asker(make_app(server_public_url="https://gateway.example.net/xmpp/"))
    response = ask("PUT", "/data/settings", user=ADMIN, body='{"a":1}')
    assert response.headers["Location"] == f"https://gateway.example.net/xmpp/data/{DOMAIN}/admin/settings"


def test_the_location_is_bounded(ask: Ask) -> None:
    """A name of many bytes, each percent-encoded, is more than proxies take for a header field. Files take no such name."""
    response = ask("PUT", f"/data/{DOMAIN}/{'é' * 500}/settings", user=ADMIN, body='{"a":1}')
    assert response.status_code in (201, 500)
    assert len(response.headers.get("Location", "")) <= 2048


def test_the_location_without_one_is_where_the_request_went(ask: Ask) -> None:
    response = ask("PUT", "/data/settings", body='{"a":1}', base_url="http://capulet.example:25280/below")
    assert response.headers["Location"] == f"http://capulet.example:25280/below/data/{DOMAIN}/juliet/settings"


# -- accounts


def test_one_sets_ones_own_password(ask: Ask) -> None:
    assert ask("PUT", "/data/accounts", body='{"password":"changeme"}').status_code == 201
    assert ask("GET", "/data/accounts").status_code == 401
    record = ask("GET", "/data/accounts", user="", fields=basic(JULIET, "changeme")).get_json()
    assert (record["password"], record.keys()) == ("changeme", {"password", "created", "updated"})


def test_an_administrator_sets_anothers_password_and_makes_accounts(ask: Ask) -> None:
    for user in ("nurse", "tybalt"):
        assert ask("PUT", f"/data/{DOMAIN}/{user}/accounts", user=ADMIN, body='{"password":"changeme"}').status_code == 201
        fields = basic(f"{user}@{DOMAIN}", "changeme")
        assert ask("GET", "/data/accounts", user="", fields=fields).get_json()["password"] == "changeme"
    assert ask("PUT", f"/data/{DOMAIN}/nurse/accounts", body='{"password":"mine"}').status_code == 403


def test_who_deletes_the_account_is_out(ask: Ask) -> None:
    assert ask("DELETE", "/data/accounts").status_code == 204
    assert ask("GET", "/data/accounts").status_code == 401


# -- a storage that fails


def failing(*_: object) -> None:
    raise StorageError("/var/data: there is no space left on the disk\r\nX: é")


@pytest.mark.parametrize(
    ("method", "verb"), [("GET", "load"), ("HEAD", "load"), ("PUT", "write_all"), ("POST", "write_all"), ("DELETE", "list_store")]
)
def test_a_storage_that_refuses(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch, method: str, verb: str) -> None:
    gateway: Gateway = app.extensions["gateway"]
    real = getattr(gateway.driver, verb)
    monkeypatch.setattr(gateway.driver, verb, lambda *given: real(*given) if given[2:3] == ("accounts",) else failing())
    response = ask(method, "/data/settings", body='{"a":1}')
    assert response.status_code == 500
    assert response.headers["Debug"] == "/var/data: there is no space left on the disk X: ?"
