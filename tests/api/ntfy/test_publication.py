"""What requests to publish bring: body, JSON, times, templates, and what is refused (hooks §13.2)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.api.ntfy.publication import Publication, PublishedRequest, checked_members, read_object, read_publication

NOW = 1_800_000_000.0  # a Friday, 08:00 UTC


def read(headers: dict[str, str] | None = None, body: bytes | str = b"", given: dict[str, Any] | None = None) -> Publication:
    fields = {name.lower(): value for name, value in (headers or {}).items()}
    body = body.encode() if isinstance(body, str) else body
    request = PublishedRequest(Parameters(fields.get, {}), checked_members(given or {}), body)
    return read_publication(request, NOW, days=30, longest=5000)


def code(error: pytest.ExceptionInfo[NtfyError]) -> int:
    return error.value.code


@pytest.mark.parametrize(
    ("headers", "body", "members"),
    [
        ({}, "Backup successful 😀", {"message": "Backup successful 😀"}),
        ({}, " \n two\nlines \n", {"message": "two\nlines"}),
        ({}, "", {"message": "triggered"}),
        ({"Message": r"a\nb"}, "", {"message": "a\nb"}),
        ({"Message": "a"}, "b", {"message": "b"}),
        (
            {"Title": "T", "Priority": "urgent", "Tags": "warning, skull", "Click": "https://e.net", "Icon": "https://e.net/i.png"},
            "m",
            {"message": "m", "title": "T", "priority": 5, "tags": ["warning", "skull"], "click": "https://e.net", "icon": "https://e.net/i.png"},
        ),
        ({"Attach": "https://e.net/f.jpg", "Filename": "g.jpg"}, "m", {"message": "m", "attach": "https://e.net/f.jpg", "filename": "g.jpg"}),
        ({"Markdown": "yes"}, "m", {"message": "m", "markdown": True}),
        ({"Content-Type": "text/markdown; charset=utf-8"}, "m", {"message": "m", "markdown": True}),
        ({"Cache": "no", "Firebase": "no", "UnifiedPush": "1", "Poll-ID": "x", "Template": "no"}, "m", {"message": "m"}),
        ({}, "x" * 5000, {"message": "x" * 5000}),
    ],
)
def test_header_fields_and_body(headers: dict[str, str], body: str, members: dict[str, Any]) -> None:
    assert read(headers, body) == Publication(members)


def test_json_goes_before_header_fields() -> None:
    headers = {"X-Title": "H", "X-Priority": "1", "X-Tags": "h", "X-Message": "h", "X-Click": "https://h.net", "X-Delay": "1h"}
    given = {"topic": "t", "title": "J", "message": "j", "priority": 4, "tags": ["j", " "], "click": None, "delay": "30m"}
    publication = read(headers, given=given)
    assert publication.members == {"title": "J", "message": "j", "priority": 4, "tags": ["j"], "click": "https://h.net"}
    assert publication.at == NOW + 1800
    assert read({"X-Message": "h", "X-Priority": "2"}, given={"topic": "t"}).members == {"message": "h", "priority": 2}


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("10s", 10), ("30min", 1800), ("2 hours", 7200), ("1d", 86400), ("1800003600", 3600), ("2027-01-15T09:00:00Z", 3600), ("", None)],
)
def test_delays(delay: str, seconds: float | None) -> None:
    assert read({"X-Delay": delay}, "m").at == (None if seconds is None else NOW + seconds)


@pytest.mark.parametrize("delay", ["9am", "21:30", "tomorrow, 10am", "Friday, 8:15pm"])
def test_times_of_day(delay: str) -> None:
    at = read({"At": delay}, "m").at
    assert at is not None
    assert NOW < at <= NOW + 8 * 86400


ACTION = {"action": "view", "label": "Open", "url": "https://e.net"}


@pytest.mark.parametrize("how", [{"headers": {"Actions": "view, Open, https://e.net"}}, {"given": {"topic": "t", "actions": [ACTION]}}])
def test_actions_in_both_places(how: dict[str, Any]) -> None:
    (action,) = read(**how).members["actions"]
    assert {name: action[name] for name in ACTION} == ACTION


@pytest.mark.parametrize(
    ("number", "headers"),
    [
        (40001, {"Email": "a@b.c"}),
        (40032, {"Call": "yes"}),
        (40002, {"Delay": "1h", "Cache": "no"}),
        (40004, {"Delay": "soon"}),
        (40004, {"Delay": "1799999000"}),
        (40005, {"Delay": "9s"}),
        (40006, {"Delay": "31 days"}),
        (40007, {"Priority": "9"}),
        (40013, {"Attach": "ftp://e.net/f"}),
        (40021, {"Icon": "icon.png"}),
        (40014, {"Filename": "f.jpg"}),
        (40018, {"Actions": "jump"}),
        (40043, {"Template": "yes"}),
        (40043, {"Template": "mine"}),
        (40024, {"Template": "github"}),
    ],
)
def test_what_is_refused(number: int, headers: dict[str, str]) -> None:
    with pytest.raises(NtfyError) as error:
        read(headers, "m")
    assert code(error) == number


@pytest.mark.parametrize("body", [b"\xff\xfe", "x" * 5001])
def test_a_body_that_is_a_file_is_refused(body: bytes | str) -> None:
    with pytest.raises(NtfyError) as error:
        read({}, body)
    assert code(error) == 40014


def test_a_template_takes_the_body_as_that_format() -> None:
    publication = read({"Template": "alertmanager"}, '{"alerts": []}')
    payload = publication.payload("", {"a": "b"}, {})
    assert (payload.format, payload.value, payload.headers) == ("alertmanager", {"alerts": []}, {"a": "b"})
    assert read({}, "m").payload("", {}, {}).value == {"message": "m"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b'{"topic": 1}', b'{"priority": "high"}', b'{"priority": true}', b'{"priority": 1.5}', b'{"tags": "a"}', b'{"tags": [1]}',
        b'{"actions": {}}', b'{"markdown": "yes"}', b'{"cache": 1}', b'{"delay": 30}', b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", b'{"topic": "\xff"}',
    ],
)  # fmt: skip
def test_json_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(NtfyError) as error:
        checked_members(read_object(body))
    assert code(error) == 40024


@pytest.mark.parametrize("priority", [6, -1])
def test_a_priority_that_there_is_not(priority: int) -> None:
    with pytest.raises(NtfyError) as error:
        read(given={"topic": "t", "priority": priority})
    assert code(error) == 40007


@pytest.mark.parametrize("cache", [False, "no", "False"])
def test_what_waits_has_to_be_kept(cache: Any) -> None:
    with pytest.raises(NtfyError) as error:
        read(given={"topic": "t", "delay": "1h", "cache": cache})
    assert code(error) == 40002
