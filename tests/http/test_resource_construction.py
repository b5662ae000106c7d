"""The response that is filled directly is the one that its constructor would have made."""

from __future__ import annotations

import pytest
from flask import Flask, Response
from werkzeug.http import HTTP_STATUS_CODES

from xmpp_rest.http.construction import construct
from xmpp_rest.http.resource import Created


def state(response):
    return {name: list(value) if name == "headers" else value for name, value in vars(response).items()}


@pytest.mark.parametrize("status", [*sorted(HTTP_STATUS_CODES), 299, 599])
@pytest.mark.parametrize(
    "fields",
    [{}, {"Allow": "GET"}, {"Allow": "GET", "Content-Type": "application/json", "ETag": '"1"', "Location": "/é"}],
)
@pytest.mark.parametrize("payload", [b"", b'{"a":1}', None])
def test_the_shortcut_leaves_what_the_constructor_leaves(status, fields, payload):
    with Flask("test").app_context():
        short = construct(fields, payload, status, shortcut=True)
        long = construct(fields, payload, status, shortcut=False)
    assert type(short) is type(long) is Response
    assert state(short) == state(long)
    environ = {"REQUEST_METHOD": "GET"}
    assert list(short.get_wsgi_headers(environ)) == list(long.get_wsgi_headers(environ))
    assert (short.status, short.data, short.is_sequence) == (long.status, long.data, long.is_sequence)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\r\nSet-Cookie: a=b", "a\n"])
def test_a_line_break_raises(shortcut, value):
    with Flask("test").app_context(), pytest.raises(ValueError, match="newline"):
        construct({"Allow": "GET", "Location": value}, b"x", 200, shortcut=shortcut)


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
def test_the_switch_changes_nothing_that_can_be_seen(ask, define, answers, method, headers):
    short, long = define(**answers), define(**answers)
    long.response_shortcut = False
    first, second = ask(short, method, headers), ask(long, method, headers)
    assert (first.status, list(first.headers), first.data) == (second.status, list(second.headers), second.data)
