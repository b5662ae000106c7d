"""What a request to a hook brings, by its media type and by how it looks (hooks §5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.api.hooks.bodies import MAX_DEPTH, BadBody, HookBody, UnknownType, media_type, read_value
from xmpp_rest.service.hooks.payload import PostedForm

FORM = "application/x-www-form-urlencoded"
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="shot.png"\r\n\r\n\x89PNG\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("sent", "field", "value"),
    [
        (b'{"a":1}', "application/json", {"a": 1}),
        (b'{"a":1}', "text/json", {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', "application/json; charset=latin-1", {"a": 1}),
        (b'{"a":1}', "Application/Vnd.Github+JSON; x=y", {"a": 1}),
        (b'"words"', "application/json", "words"),
        (b"", "application/json", None),
        (b"a=1&b=%C3%A4+x&a=2", FORM, {"a": "1", "b": "ä x"}),
        (b"a=\xc3\xa4", FORM, {"a": "ä"}),
        (b'{"a":"b=c"}', FORM, {"a": "b=c"}),
        (b"{a=b", FORM, {"{a": "b"}),
        (b"just words", FORM, "just words"),
        (b"", FORM, ""),
        (b"payload=%7B%22text%22%3A1%7D", FORM, {"text": 1}),
        (b"data=%7B%22text%22%3A1%7D", FORM, {"text": 1}),
        (b"payload=words", FORM, {"payload": "words"}),
        (b"payload=%5B1%5D", FORM, {"payload": "[1]"}),
        (b"payload=%7B%7D&more=1", FORM, {"payload": "{}", "more": "1"}),
        (b"words", "", "words"),
        (b'{"a":1}', "", {"a": 1}),
        (b" [1]", "text/plain", [1]),
        (b"[1] and more", "text/plain", "[1] and more"),
        (b'{"a":1}', "application/octet-stream", {"a": 1}),
        (b"\xe4", "text/plain; charset=ISO-8859-1", "ä"),
        (b"# words", "text/markdown", "# words"),
        (b"\xef\xbb\xbfwords", "text/plain", "words"),
    ],
)
def test_a_body_is_read_as_its_type_and_its_looks_say(sent: bytes, field: str, value: Any) -> None:
    assert read_value(sent, field) == HookBody(value)


def test_a_form_is_not_an_object() -> None:
    assert isinstance(read_value(b"a=b", FORM).value, PostedForm)
    assert type(read_value(b'{"a":"b"}', FORM).value) is dict


def test_what_may_be_text_is_text_where_the_hook_takes_text() -> None:
    assert read_value(b'{"a":1}', "text/plain", only_text=True).value == '{"a":1}'
    assert read_value(b'{"a":1}', "application/json", only_text=True).value == {"a": 1}


@pytest.mark.parametrize(("name", "value", "read"), [(b"body", b"words", {"body": "words"}), (b"data", b'{"msg":"down"}', {"msg": "down"})])
def test_files_are_named_and_not_read(name: bytes, value: bytes, read: Any) -> None:
    assert read_value(PARTS % (name, value), "multipart/form-data; boundary=x") == HookBody(read, ("shot.png",))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b"NaN", "application/json"),
        (b"\xff", "text/plain"),
        (b"\xff", ""),
        (b"a=%ff", FORM),
        (b"a=\xff", FORM),
        (b"&".join(b"a%d=1" % number for number in range(1001)), FORM),
        (b"words", "text/plain; charset=rot13"),
        (b"words", "text/plain; charset=punycode"),
        (b"words", "text/plain; charset=nonsense"),
        (b"--x\r\nContent-", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "application/json"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "text/plain"),
        (b'{"a":' * 100_000, "application/json"),
    ],
)
def test_what_cannot_be_read_is_refused(sent: bytes, field: str) -> None:
    with pytest.raises(BadBody):
        read_value(sent, field)


def test_what_is_as_deep_as_it_may_be_is_read() -> None:
    assert read_value(b"[" * (MAX_DEPTH - 1) + b"[1]" + b"]" * (MAX_DEPTH - 1), "application/json")


@pytest.mark.parametrize(
    "field", ["application/xml", "text/xml", "text/html; charset=utf-8", "image/png", "application/atom+xml", "video/mp4", "nonsense"]
)
def test_other_types_are_not_taken(field: str) -> None:
    with pytest.raises(UnknownType):
        media_type(field)
