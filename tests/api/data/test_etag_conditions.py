"""Conditional requests: entity tags, If-Match, If-None-Match keep callers from overwriting unseen changes."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from tests.api.data.conftest import JSON, LUA, Ask, asker
from tests.many import in_threads

OTHER = '"0123456789abcdef01234567"'


def tag(ask: Ask, path: str = "/data/settings") -> str:
    found = ask("GET", path).headers["ETag"]
    assert found.startswith('"')
    return found


def test_a_tag_changes_with_the_content_and_comes_back_with_it(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":1,"b":2}')
    first = tag(ask)
    assert ask("HEAD", "/data/settings").headers["ETag"] == first
    ask("PUT", "/data/settings", body='{"a":2}')
    assert tag(ask) != first
    ask("PUT", "/data/settings", body='{"b":2,"a":1.0}')
    assert tag(ask) == first
    assert tag(ask, "/data/settings/lua") != first


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["json", "lua"])
def test_not_modified(ask: Ask, method: str, form: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    current = tag(ask, f"/data/settings/{form}")
    for field in (current, f"W/{current}", f"{OTHER}, {current}", "*"):
        response = ask(method, f"/data/settings/{form}", fields={"If-None-Match": field})
        assert (response.status_code, response.data, response.headers["ETag"]) == (304, b"", current)
    assert ask(method, f"/data/settings/{form}", fields={"If-None-Match": OTHER}).status_code == 200
    assert ask(method, f"/data/settings/{form}", fields={"If-Match": OTHER}).status_code == 412
    assert ask(method, f"/data/settings/{form}", fields={"If-None-Match": "nonsense"}).status_code == 400


@pytest.mark.parametrize("form", ["json", "lua"])
@pytest.mark.parametrize("sent_as", [JSON, LUA])
def test_a_change_of_what_was_seen(ask: Ask, form: str, sent_as: str) -> None:
    body = {JSON: '{"a":2}', LUA: "{ a = 2 }"}[sent_as]
    ask("PUT", "/data/settings", body='{"a":1}')
    seen = tag(ask, f"/data/settings/{form}")
    assert ask("PUT", "/data/settings", body=body, sent_as=sent_as, fields={"If-Match": f"{OTHER} , {seen}"}).status_code == 201
    assert ask("PUT", "/data/settings", body='{"a":3}', fields={"If-Match": seen}).status_code == 412
    assert ask("GET", "/data/settings").data == b'{"a":2}'


CASES = [  # there is something; field; its value (TAG: the current tag); holds
    (True, "If-Match", "TAG", True),
    (True, "If-Match", f"{OTHER}, TAG", True),
    (True, "If-Match", "*", True),
    (True, "If-Match", OTHER, False),
    (True, "If-Match", "W/TAG", False),
    (True, "If-None-Match", "TAG", False),
    (True, "If-None-Match", "W/TAG", False),
    (True, "If-None-Match", "*", False),
    (True, "If-None-Match", OTHER, True),
    (False, "If-Match", "*", False),
    (False, "If-Match", OTHER, False),
    (False, "If-None-Match", "*", True),
    (False, "If-None-Match", OTHER, True),
]


@pytest.mark.parametrize("sort", ["table", "list"])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize(("there", "field", "value", "holds"), CASES)
def test_a_condition(ask: Ask, sort: str, method: str, there: bool, field: str, value: str, holds: bool) -> None:
    before = None
    if there:
        ask("PUT" if sort == "table" else "POST", "/data/settings", body='{"a":1}')
        value = value.replace("TAG", tag(ask))
        before = ask("GET", "/data/settings").data
    response = ask(method, "/data/settings", body='{"a":2}', fields={field: value})
    done = 204 if method == "DELETE" else 201
    assert response.status_code == (done if holds else 412)
    if holds:
        return
    left = ask("GET", "/data/settings")
    assert left.data == before if there else left.status_code == 404
    assert field in response.get_json()["detail"]


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("field", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["nonsense", "", '"open', "*, *", '"a" "b"', "w/" + OTHER])
def test_a_field_that_is_no_list_of_tags(ask: Ask, method: str, field: str, value: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask(method, "/data/settings", body='{"a":2}', fields={field: value})
    assert response.status_code == 400
    assert field in response.get_json()["detail"]
    assert ask("GET", "/data/settings").data == b'{"a":1}'


def test_both_fields_must_hold(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    current = tag(ask)
    for fields, status in (
        ({"If-Match": current, "If-None-Match": current}, 412),
        ({"If-Match": OTHER, "If-None-Match": OTHER}, 412),
        ({"If-Match": current, "If-None-Match": OTHER}, 201),
    ):
        assert ask("PUT", "/data/settings", body='{"a":2}', fields=fields).status_code == status


def test_a_body_is_judged_before_the_condition(ask: Ask) -> None:
    assert ask("PUT", "/data/settings", body="{", fields={"If-Match": OTHER}).status_code == 400


def test_dates_count_for_nothing(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    date = "Fri, 21 Sep 2012 22:36:14 GMT"
    assert ask("GET", "/data/settings", fields={"If-Modified-Since": date}).status_code == 200
    assert ask("PUT", "/data/settings", body='{"a":2}', fields={"If-Unmodified-Since": date}).status_code == 201


def test_no_update_is_lost(app: Flask) -> None:
    """Several clients count up by reading and writing what they have read; nobody's step may go missing."""
    steps, clients = 8, 4

    def count_up(_: int) -> None:
        ask = asker(app)
        done = 0
        while done < steps:
            seen = ask("GET", "/data/counter")
            body = f'{{"n":{seen.get_json()["n"] + 1}}}'
            answer = ask("PUT", "/data/counter", body=body, fields={"If-Match": seen.headers["ETag"]})
            assert answer.status_code in (201, 412)
            done += answer.status_code == 201

    asker(app)("PUT", "/data/counter", body='{"n":0}')
    in_threads(count_up, range(clients))
    assert asker(app)("GET", "/data/counter").json == {"n": steps * clients}


def test_of_many_who_make_it_one_succeeds(app: Flask) -> None:
    barrier = threading.Barrier(6)

    def make(n: int) -> int:
        ask = asker(app)
        ask("GET", "/data/settings")
        barrier.wait()
        return ask("PUT", "/data/settings", body=f'{{"n":{n}}}', fields={"If-None-Match": "*"}).status_code

    assert sorted(in_threads(make, range(6))) == [201, 412, 412, 412, 412, 412]


@pytest.mark.parametrize("methods", [["POST"] * 6, ["POST", "DELETE", "PUT"] * 2], ids=["POST", "all"])
def test_of_many_who_change_the_same_list_one_succeeds(app: Flask, methods: list[str]) -> None:
    """All have seen the same; whatever one of them does, the others have not."""
    for round_ in range(5):
        asker(app)("DELETE", "/data/wishes")
        asker(app)("POST", "/data/wishes", body=f'"first {round_}"')
        seen = tag(asker(app), "/data/wishes")
        barrier = threading.Barrier(len(methods))

        def change(method: str, seen: str = seen, barrier: threading.Barrier = barrier) -> int:
            ask = asker(app)
            ask("GET", "/data/wishes")
            barrier.wait()
            body = None if method == "DELETE" else '{"by":"one"}'
            return ask(method, "/data/wishes", body=body, fields={"If-Match": seen}).status_code

        statuses = sorted(in_threads(change, methods))
        assert statuses[0] in (201, 204)
        assert statuses[1:] == [412] * (len(methods) - 1)


def test_a_delete_of_both_sorts_goes_by_what_is_seen(ask: Ask) -> None:
    ask("POST", "/data/settings", body='"item"')
    list_tag = tag(ask)
    ask("PUT", "/data/settings", body='{"a":1}')
    assert ask("DELETE", "/data/settings", fields={"If-Match": list_tag}).status_code == 412
    assert ask("DELETE", "/data/settings", fields={"If-Match": tag(ask)}).status_code == 204
    assert ask("GET", "/data/settings").status_code == 404
