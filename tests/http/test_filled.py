"""A response that is filled directly is the one that its constructor would have made, and stays so when it is changed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from flask import Flask, Response, request
from werkzeug.http import HTTP_STATUS_CODES

from tests.http.conftest import Ask
from xmpp_rest.http.builder import construct, with_exact_location
from xmpp_rest.http.filled import FilledResponse
from xmpp_rest.http.resource import Accepted, Created, Resource


def state(response: Response) -> dict[str, Any]:
    return {name: list(value) if name == "headers" else value for name, value in vars(response).items()}


@pytest.mark.parametrize("status", [*sorted(HTTP_STATUS_CODES), 299, 599])
@pytest.mark.parametrize(
    "fields",
    [{}, {"Allow": "GET"}, {"Allow": "GET", "Content-Type": "application/json", "ETag": '"1"', "Location": "/é"}],
)
@pytest.mark.parametrize("payload", [b"", b'{"a":1}', None])
def test_the_shortcut_leaves_what_the_constructor_leaves(status: int, fields: dict[str, str], payload: bytes | None) -> None:
    with Flask("test").app_context():
        short = construct(fields, payload, status, shortcut=True)
        long = construct(fields, payload, status, shortcut=False)
        empty = construct(fields, payload or b"", status, shortcut=False)
    assert (type(short), type(long)) == (FilledResponse, Response)
    assert state(short) == state(empty)  # without a body the constructor adds Content-Length only when the response is sent
    environ = {"REQUEST_METHOD": "GET"}
    assert list(short.get_wsgi_headers(environ)) == list(long.get_wsgi_headers(environ))
    assert (short.status, short.data, short.is_sequence) == (long.status, long.data, long.is_sequence)


def grown(response: Response) -> None:
    response.headers.add("Vary", "Accept")


def placed(response: Response) -> None:
    response.headers["Location"] = "/new?"


def copied(response: Response) -> None:
    response.headers["Content-Location"] = "/é"


def measured_anew(response: Response) -> None:
    del response.headers["Content-Length"]
    response.response = [b"longer", b" than before"]


def replaced(response: Response) -> None:
    response.set_data("quite another body")


def emptied(response: Response) -> None:
    response.status_code = 204


def not_modified(response: Response) -> None:
    response.status_code = 304
    response.headers["Content-Encoding"] = "gzip"


def streamed(response: Response) -> None:
    response.response = iter([b"a", b"b"])
    response.headers["content-length"] = "2"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("change", [grown, placed, copied, measured_anew, replaced, emptied, not_modified, streamed])
def test_what_is_changed_afterwards_is_sent_as_werkzeug_would(change: Callable[[Response], None], method: str) -> None:
    fields = {"Allow": "GET", "Content-Type": "text/plain"}
    sent: list[Any] = []
    with Flask("test").test_request_context(method=method):
        for shortcut in (True, False):
            response = construct(fields, b"hello", 200, shortcut=shortcut)
            change(response)
            start = cast("Any", lambda status, headers: sent.append((status, headers)))
            sent.append(b"".join(response(request.environ, start)))
    assert sent[:2] == sent[2:]


@pytest.mark.parametrize(
    ("answers", "method", "headers"),
    [
        ({}, "GET", {}),
        ({}, "HEAD", {}),
        ({"resource_exists": False}, "GET", {}),
        ({"accept": Created("/new")}, "POST", {}),
        ({}, "DELETE", {}),
        ({"generate_etag": '"1"', "expires": "0"}, "GET", {"If-None-Match": "*"}),
        ({"ranges_provided": [("bytes", "auto")]}, "GET", {"Range": "bytes=0-1"}),
        ({"is_authorized": "Basic"}, "GET", {}),
    ],
)
def test_the_switch_changes_nothing_that_can_be_seen(
    ask: Ask, define: Callable[..., type[Resource]], answers: dict[str, Any], method: str, headers: dict[str, str]
) -> None:
    short, long = define(**answers), define(**answers)
    long.response_shortcut = False
    first, second = ask(short, method, headers), ask(long, method, headers)
    assert (first.status, list(first.headers), first.data) == (second.status, list(second.headers), second.data)


@pytest.mark.parametrize("touched", [False, True])
def test_a_field_is_set_whether_or_not_the_response_is_there(ask: Ask, touched: bool) -> None:
    def accept(self: Resource) -> Accepted:
        if touched:
            assert self.response.headers
        self.set_field("Noted", "first")
        self.set_field("Noted", "as 1")
        return Accepted()

    answer = ask({"accept": accept}, "POST")
    assert (answer.status, answer.data, answer.headers.getlist("Noted")) == ("202 ACCEPTED", b"", ["as 1"])
    assert answer.headers["Content-Length"] == "0"
    assert "Content-Type" not in answer.headers


def test_a_field_has_no_line_break(ask: Ask) -> None:
    def accept(self: Resource) -> Accepted:
        self.set_field("Noted", "a\r\nb")
        return Accepted()

    assert ask({"accept": accept}, "POST").status_code == 500


@pytest.mark.parametrize(("location", "is_copied"), [("/data?", False), ("http://[::1]/a%20b", False), ("/é", True)])
def test_a_location_is_sent_as_it_was_returned_and_costs_no_copy_of_the_fields(location: str, is_copied: bool) -> None:
    with Flask("test").app_context():
        response = with_exact_location(construct({"Location": location}, b"", 201, shortcut=True))
    headers = response.get_wsgi_headers({"REQUEST_METHOD": "POST"})
    assert headers["Location"] == (location if not is_copied else "/%C3%A9")
    assert (headers is response.headers) == (not is_copied)
