"""Parameters of ntfy: names, character sets, priorities, actions, errors (hooks §13.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xmpp_rest.api.ntfy.actions import read_actions
from xmpp_rest.api.ntfy.errors import OF_STATUS, TABLE, NtfyError, of_gateway, of_status
from xmpp_rest.api.ntfy.fields import NAMES, Parameters, read_field
from xmpp_rest.api.ntfy.priority import read_priority
from xmpp_rest.errors import GatewayError


def parameters(headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Parameters:
    return Parameters({name.lower(): value for name, value in (headers or {}).items()}.get, query or {})


@pytest.mark.parametrize(("name", "alias"), [(name, alias) for name, aliases in NAMES.items() for alias in aliases])
def test_every_name_is_read_from_both_places(name: str, alias: str) -> None:
    assert parameters({alias: " a "}).text(name) == "a"
    assert parameters({}, {alias.upper(): " b "}).text(name) == "b"
    assert parameters({alias: "a"}, {alias: "b"}).text(name) == "a"
    assert parameters({alias: ""}, {alias: "b"}).text(name) == "b"


def test_the_first_name_that_is_not_empty_counts() -> None:
    assert parameters({"X-Title": " ", "Title": "second", "t": "third"}).text("title") == "second"
    assert parameters({"t": "header"}, {"X-Title": "query"}).text("title") == "header"


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("plain", "plain"),
        ("Größe".encode().decode("latin-1"), "Größe"),
        ("Größe", "Größe"),
        ("=?UTF-8?B?8J+Yhw==?=", "😇"),
        ("=?utf-8?q?Hello_World?=", "Hello World"),
        ("=?UTF-8?B?8J+H?= =?UTF-8?B?qfCfh6o=?=", "🇩🇪"),
        ("Alert: =?iso-8859-1?Q?Gr=F6=DFe?= of disk", "Alert: Größe of disk"),
        ("=?nonsense?B?8J+Yhw==?=", "=?nonsense?B?8J+Yhw==?="),
        ("a =? b", "a =? b"),
        ("", ""),
    ],
)
def test_header_values_in_any_character_set(sent: str, text: str) -> None:
    assert read_field(sent) == text


@pytest.mark.parametrize("value", ["u=3", "u=3, i", "u=0,i", "i", "u=4, i=?0"])
def test_the_priority_of_http_is_not_the_message_s(value: str) -> None:
    assert parameters({"Priority": value}, {"p": "4"}).text("priority") == "4"
    assert parameters({"X-Priority": value}).text("priority") == value


@pytest.mark.parametrize(
    ("text", "number"),
    [("", None), *((str(n), n) for n in range(1, 6)), ("min", 1), ("low", 2), ("Default", 3), ("high", 4), ("MAX", 5), ("urgent", 5)],
)
def test_priorities(text: str, number: int | None) -> None:
    assert read_priority(text) == number


@pytest.mark.parametrize("text", ["0", "6", "-1", "3.0", "highest", "٣"])
def test_other_priorities_are_refused(text: str) -> None:
    with pytest.raises(NtfyError) as e:
        read_priority(text)
    assert e.value.code == 40007


def without_ids(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert len({action.pop("id") for action in actions}) == len(actions)
    return actions


VIEW = {"action": "view", "label": "Open", "url": "https://example.net/", "clear": False}


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("view, Open, https://example.net/", [VIEW]),
        ("view, Open, https://example.net/;", [VIEW]),
        ("action=view, label=Open, url=https://example.net/, clear=yes", [VIEW | {"clear": True}]),
        ("View, Open, https://example.net/", [VIEW]),
        ('view, "A, \\"b\\"; c", url=https://example.net/', [VIEW | {"label": 'A, "b"; c'}]),
        ("view, 'It is; so', 'https://example.net/?a=1,2'", [VIEW | {"label": "It is; so", "url": "https://example.net/?a=1,2"}]),
        (
            "http, Shut, https://example.net/, method=put, headers.Authorization=Bearer x, body='{\"a\": 1}'; broadcast, Snap, extras.cmd=pic, intent=i",
            [
                VIEW | {"action": "http", "label": "Shut", "method": "PUT", "headers": {"Authorization": "Bearer x"}, "body": '{"a": 1}'},
                {"action": "broadcast", "label": "Snap", "clear": False, "extras": {"cmd": "pic"}, "intent": "i"},
            ],
        ),
        (json.dumps([VIEW, VIEW, VIEW]), [VIEW, VIEW, VIEW]),
        ("[]", []),
    ],
)
def test_actions(text: str, actions: list[dict[str, Any]]) -> None:
    assert without_ids(read_actions(text)) == actions


@pytest.mark.parametrize(
    "text",
    [
        "jump, Open, https://example.net/",
        "view, , https://example.net/",
        "view, Open",
        "http, Open",
        "http, Open, https://example.net/, method=GET, body=x",
        "view, Open, https://example.net/, clear=maybe",
        "view, Open, https://example.net/, color=red",
        "broadcast, Open, surplus",
        "view, Open, https://example.net/, fourth",
        'view, "Open, https://example.net/',
        'view, "Open" me, https://example.net/',
        "; ".join(["view, Open, https://example.net/"] * 4),
        "[",
        "[1]",
        '[{"action":"view","label":1,"url":"https://example.net/"}]',
        '[{"action":"view","label":"Open","url":"https://example.net/","clear":"no"}]',
        '[{"action":"http","label":"Open","url":"https://example.net/","headers":{"a":1}}]',
        "," * 5000,
        "\udcff",
    ],
)
def test_other_actions_are_refused(text: str) -> None:
    with pytest.raises(NtfyError) as e:
        read_actions(text)
    assert e.value.code == 40018


@pytest.mark.parametrize("code", TABLE)
def test_errors_have_the_body_that_clients_read(code: int) -> None:
    error = NtfyError(code)
    assert error.body.endswith(b"}\n")
    body = json.loads(error.body)
    assert (body.pop("code"), body.pop("http")) == (code, code // 100)
    assert body.pop("error") == TABLE[code].text
    assert body == ({"link": f"https://ntfy.sh/docs/{TABLE[code].link}"} if TABLE[code].link else {})


def test_every_status_has_a_code() -> None:
    assert all(code // 100 == status and code in TABLE for status, code in OF_STATUS.items())
    assert (of_status(404).code, of_status(422).code, of_status(507).code) == (40401, 40000, 50001)
    assert of_gateway(GatewayError("outbox-full")).code == 50301


def test_many_sections_are_read_in_good_time() -> None:
    with pytest.raises(NtfyError):
        read_actions("view, A, " + "url=a, " * 100_000 + "x=")
