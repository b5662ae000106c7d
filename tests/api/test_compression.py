"""Answers are compressed for clients that ask for it, where `[server] compress` says so; their entity tags are others, and count as the plain ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic, build_app, register_users
from xmpp_rest.api.compression import SMALLEST, allows_gzip, compressed

JULIET = basic(f"juliet@{DOMAIN}")
GZIP = {"Accept-Encoding": "gzip"}
LARGE = {"text": "wherefore art thou " * 500}
STORE = f"/data/{DOMAIN}/juliet/notes"


def started(folder: Path, **settings: str) -> Iterator[FlaskClient]:
    app = register_users(build_app(folder, **settings))
    client = app.test_client()
    assert client.put(STORE, json=LARGE, headers=JULIET).status_code == 201
    yield client
    app.extensions["gateway"].stop()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    yield from started(tmp_path_factory.mktemp("on"), server_compress="yes")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    yield from started(tmp_path_factory.mktemp("off"))


ASKED = {
    "gzip": True,
    "GZIP": True,
    "x-gzip": True,
    "*": True,
    "br, gzip;q=0.5": True,
    "gzip ; q=1.000": True,
    "deflate, gzip": True,
    "gzip, identity;q=0.5": True,
    "": False,
    "identity": False,
    "br": False,
    "gzip;q=0": False,
    "gzip;q=0.000, *": False,
    "*;q=0": False,
    "identity, gzip;q=0.5": False,
    "gzipped": False,
    "gzip;q=x": False,
}


@pytest.mark.parametrize("field", ASKED)
def test_who_asks(field: str) -> None:
    assert allows_gzip(field) == ASKED[field]


def test_a_large_answer(client: FlaskClient) -> None:
    whole = client.get(STORE, headers=JULIET)
    packed = client.get(STORE, headers=JULIET | GZIP)
    assert whole.status_code == packed.status_code == 200
    assert "Content-Encoding" not in whole.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(whole.data) / 10
    assert gzip.decompress(packed.data) == whole.data
    assert packed.headers["ETag"] == f'{whole.headers["ETag"][:-1]}-gzip"'
    for answer in (whole, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_only_the_head(client: FlaskClient) -> None:
    head, whole = (client.open(STORE, method=method, headers=JULIET | GZIP) for method in ("HEAD", "GET"))
    assert head.data == b""
    assert head.headers.get("Content-Length") in (None, whole.headers["Content-Length"])
    for name in ("Content-Encoding", "ETag", "Vary", "Content-Type"):
        assert head.headers[name] == whole.headers[name]


def test_without_the_setting(plain: FlaskClient) -> None:
    answer = plain.get(STORE, headers=JULIET | GZIP)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize("path", ["/livez", "/rest/nothing", f"/data/{DOMAIN}/juliet/none"])
def test_what_is_small(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=JULIET | GZIP)
    assert len(answer.data) < SMALLEST
    assert "Content-Encoding" not in answer.headers


def test_every_api(client: FlaskClient) -> None:
    for path in ("/openapi.json", "/api-docs/openapi.json", "/docs/swagger-ui.css"):
        answer = client.get(path, headers=GZIP)
        assert answer.headers["Content-Encoding"] == "gzip", path
        assert len(gzip.decompress(answer.data)) > len(answer.data)


@pytest.mark.parametrize("which", ["client", "plain"])
def test_the_tag_of_a_compressed_answer_counts(which: str, request: pytest.FixtureRequest) -> None:
    """Whether it was compressed here or by a proxy."""
    client: FlaskClient = request.getfixturevalue(which)
    tag = client.get(STORE, headers=JULIET).headers["ETag"]
    packed = f'{tag[:-1]}-gzip"'
    assert client.get(STORE, headers=JULIET | {"If-None-Match": packed}).status_code == 304
    assert client.get(STORE, headers=JULIET | {"If-None-Match": f"W/{packed}"}).status_code == 304
    assert client.get(STORE, headers=JULIET | {"If-Match": packed}).status_code == 200
    assert client.get(STORE, headers=JULIET | {"If-Match": '"other-gzip"'}).status_code == 412
    assert client.put(STORE, json=LARGE, headers=JULIET | {"If-Match": '"other-gzip"'}).status_code == 412
    assert client.put(STORE, json=LARGE, headers=JULIET | {"If-Match": packed}).status_code in (200, 201, 204)


def test_what_is_known_already_has_the_tag_that_the_client_has(client: FlaskClient) -> None:
    tag = client.get(STORE, headers=JULIET).headers["ETag"]
    packed = f'{tag[:-1]}-gzip"'
    known = client.get(STORE, headers=JULIET | GZIP | {"If-None-Match": packed})
    assert (known.status_code, known.headers["ETag"]) == (304, packed)
    assert "Accept-Encoding" in known.headers["Vary"]
    assert client.get(STORE, headers=JULIET | GZIP | {"If-None-Match": tag}).headers["ETag"] == tag


def test_a_part_of_an_answer(client: FlaskClient) -> None:
    part = client.get(STORE, headers=JULIET | GZIP | {"Range": "bytes=0-1999"})
    assert part.status_code in (200, 206)
    if part.status_code == 206:
        assert "Content-Encoding" not in part.headers


BODY = "x" * SMALLEST
ANSWERS: dict[str, tuple[Response, bool]] = {
    "JSON": (Response(json.dumps(BODY), mimetype="application/json"), True),
    "a problem": (Response(BODY, 422, mimetype="application/problem+json"), True),
    "created": (Response(BODY, 201, mimetype="application/xmpp+xml"), True),
    "text": (Response(BODY, content_type="text/plain; charset=utf-8"), True),
    "JavaScript": (Response(BODY, mimetype="text/javascript"), True),
    "metrics": (Response(BODY, mimetype="application/openmetrics-text"), True),
    "pieces": (Response([b"x" * 600, b"y" * 600], mimetype="text/html"), True),
    "a byte too small": (Response(BODY[1:], mimetype="text/plain"), False),
    "a picture": (Response(BODY, mimetype="image/png"), False),
    "CBOR": (Response(BODY, mimetype="application/cbor"), False),
    "an error of ours": (Response(BODY, 500, mimetype="text/plain"), False),
    "accepted": (Response(BODY, 202, mimetype="text/plain"), False),
    "a part": (Response(BODY, 206, mimetype="text/plain"), False),
    "compressed already": (Response(BODY, headers={"Content-Encoding": "br"}, mimetype="text/plain"), False),
    "as it is": (Response(BODY, headers={"Cache-Control": "public, no-transform"}, mimetype="text/plain"), False),
    "a stream": (Response(iter([BODY]), mimetype="text/plain"), False),
    "events": (Response([BODY], mimetype="text/event-stream"), False),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_may_be_compressed(name: str) -> None:
    response, may = ANSWERS[name]
    with Flask("answers").test_request_context("/", headers=GZIP):
        answer = compressed(response)
    assert (answer.headers.get("Content-Encoding") == "gzip") == may
    assert ("Accept-Encoding" in answer.headers.get("Vary", "")) == may
    if may:
        assert len(gzip.decompress(answer.get_data())) >= SMALLEST
