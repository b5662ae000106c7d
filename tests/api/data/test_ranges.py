"""Parts of lists by `Range: items=…`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from tests.api.data.conftest import JULIET, Ask
from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway

N = 10
ITEMS = [{"n": n} for n in range(N)]


@pytest.fixture(autouse=True)
def _wishes(app: Flask) -> None:
    gateway: Gateway = app.extensions["gateway"]
    gateway.driver.list_store("juliet", DOMAIN, "wishes", ITEMS)


PARTS = [  # what is asked for; items; Content-Range
    ("0-0", ITEMS[:1], "items 0-0/*"),
    ("0-4", ITEMS[:5], "items 0-4/*"),
    ("3-4", ITEMS[3:5], "items 3-4/*"),
    ("0-9", ITEMS, "items 0-9/10"),
    ("5-99", ITEMS[5:], "items 5-9/10"),
    ("9-9", ITEMS[9:], "items 9-9/10"),
    ("7-", ITEMS[7:], "items 7-9/10"),
    ("0-", ITEMS, "items 0-9/10"),
    ("-3", ITEMS[7:], "items 7-9/10"),
    ("-99", ITEMS, "items 0-9/10"),
    (" 1-2 ", ITEMS[1:3], "items 1-2/*"),
    ("1-2,", ITEMS[1:3], "items 1-2/*"),
    ("2-9223372036854775807", ITEMS[2:], "items 2-9/10"),
    ("8-" + "9" * 90, ITEMS[8:], "items 8-9/10"),
    ("50-60,2-3", ITEMS[2:4], "items 2-3/10"),
    ("0-9,0-9,0-9", ITEMS, "items 0-9/10"),  # overlapping: how such requests are abused
]


@pytest.mark.parametrize(("asked", "part", "content_range"), PARTS)
@pytest.mark.parametrize("unit", ["items", "Items"])
def test_a_part(ask: Ask, unit: str, asked: str, part: list[Any], content_range: str) -> None:
    response = ask("GET", "/data/wishes", fields={"Range": f"{unit}={asked}"})
    assert (response.status_code, response.json) == (206, part)
    assert response.headers["Content-Range"] == content_range
    assert response.headers["Accept-Ranges"] == "items"
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_part_in_lua(ask: Ask) -> None:
    response = ask("GET", "/data/wishes/lua", fields={"Range": "items=4-4"})
    assert (response.status_code, response.data) == (206, b'{\n\t{\n\t\t["n"] = 4;\n\t};\n}')


@pytest.mark.parametrize("asked", ["10-", "10-20", "99999-", "-0", "9" * 90 + "-", "4-3", "x", "", "1", "1-2;3-4", "0x1-2", "1 - 2", "9" * 200 + "-"])
def test_what_is_not_there(ask: Ask, asked: str) -> None:
    response = ask("GET", "/data/wishes", fields={"Range": f"items={asked}"})
    assert (response.status_code, response.headers["Content-Range"]) == (416, "items */10")


@pytest.mark.parametrize("field", ["items", "=0-1", "it ems=0-1", ""])
def test_what_is_no_range(ask: Ask, field: str) -> None:
    assert ask("GET", "/data/wishes", fields={"Range": field}).status_code == 416


@pytest.mark.parametrize("field", ["bytes=0-1", "lines=0-1"])
def test_another_unit_is_ignored(ask: Ask, field: str) -> None:
    response = ask("GET", "/data/wishes", fields={"Range": field})
    assert (response.status_code, response.json) == (200, ITEMS)


def test_several_parts(ask: Ask) -> None:
    response = ask("GET", "/data/wishes", fields={"Range": "items=0-1,8-"})
    assert response.status_code == 206
    assert response.mimetype == "multipart/byteranges"
    boundary = response.mimetype_params["boundary"]
    parts = response.data.decode().split(f"--{boundary}")[1:-1]
    assert [json.loads(part.partition("\r\n\r\n")[2]) for part in parts] == [ITEMS[:2], ITEMS[8:]]
    assert [line for part in parts for line in part.splitlines() if "Range" in line] == [
        "Content-Range: items 0-1/10",
        "Content-Range: items 8-9/10",
    ]


def test_a_head_is_of_the_whole(ask: Ask) -> None:
    response = ask("HEAD", "/data/wishes", fields={"Range": "items=0-1"})
    assert (response.status_code, response.headers["Accept-Ranges"]) == (200, "items")


def test_an_array_in_a_table_has_items_too(ask: Ask) -> None:
    ask("PUT", "/data/settings", body="[1,2,3]")
    response = ask("GET", "/data/settings", fields={"Range": "items=1-1"})
    assert (response.status_code, response.data, response.headers["Content-Range"]) == (206, b"[2]", "items 1-1/3")


def test_an_object_has_none(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask("GET", "/data/settings", fields={"Range": "items=0-0"})
    assert (response.status_code, response.data, "Accept-Ranges" in response.headers) == (200, b'{"a":1}', False)


def test_nothing_has_none(ask: Ask) -> None:
    assert ask("GET", "/data/settings", fields={"Range": "items=0-0"}).status_code == 404


def test_a_part_of_what_was_seen(ask: Ask) -> None:
    current = ask("GET", "/data/wishes").headers["ETag"]
    range_ = {"Range": "items=0-1"}
    assert ask("GET", "/data/wishes", fields={**range_, "If-Range": current}).json == ITEMS[:2]
    ask("POST", "/data/wishes", body="1")
    assert ask("GET", "/data/wishes", fields={**range_, "If-Range": current}).json == [*ITEMS, 1]
    assert ask("GET", "/data/wishes", fields={**range_, "If-Match": current}).status_code == 412
    now = ask("GET", "/data/wishes").headers["ETag"]
    assert ask("GET", "/data/wishes", fields={**range_, "If-None-Match": now}).status_code == 304


def test_a_page_is_read_without_the_rest(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway: Gateway = app.extensions["gateway"]
    read: list[int] = []
    real = gateway.driver.list_load

    def counting(*given: Any) -> Any:
        found = real(*given)
        read.append(len(found or ()))
        return found

    monkeypatch.setattr(gateway.driver, "list_load", counting)
    assert ask("GET", "/data/wishes", JULIET, fields={"Range": "items=2-3"}).status_code == 206
    assert read == [3]  # one more, to know whether that was the end
