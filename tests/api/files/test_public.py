"""The public side of files (files §3)."""

from __future__ import annotations

import hashlib
from email.utils import formatdate

import pytest
from flask.testing import FlaskClient

from tests.api.files.slots import path_of, stored
from xmpp_rest.answered import path_of as log_path
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.service.files.values import StoredFile

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def rose(gateway: Gateway) -> StoredFile:
    return stored(gateway, CONTENT)


@pytest.fixture
def path(gateway: Gateway, rose: StoredFile) -> str:
    return path_of(gateway, rose)


def test_a_file_is_had_by_its_url(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.data) == (200, CONTENT)
    fields = answer.headers
    assert fields["Content-Type"] == "image/png"
    assert fields["Content-Length"] == str(len(CONTENT))
    assert fields["Accept-Ranges"] == "bytes"
    assert fields["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert fields["Content-Disposition"] == "inline; filename=\"rose.png\"; filename*=UTF-8''rose.png"
    assert 604790 <= int(fields["Cache-Control"].removeprefix("public, max-age=").removesuffix(", immutable")) <= 604800
    assert "Last-Modified" in fields
    head = client.head(path)
    different = {"Date", "X-Request-Id", "Cache-Control"}
    assert (head.status_code, head.data) == (200, b"")
    assert {k: v for k, v in head.headers if k not in different} == {k: v for k, v in fields if k not in different}


def test_every_answer_keeps_browsers_from_running_it(client: FlaskClient, path: str) -> None:
    for answer in (client.get(path), client.get("/files/x/y"), client.get("/files"), client.post(path), client.put(path, data=b"x")):
        fields = answer.headers
        assert fields["X-Content-Type-Options"] == "nosniff"
        assert fields["Content-Security-Policy"] == (
            "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        )
        assert fields["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert fields["Referrer-Policy"] == "no-referrer"
        assert fields["X-Robots-Tag"] == "noindex"
        assert fields["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in fields


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("bytes=0-99", CONTENT[:100]),
        ("bytes=100-", CONTENT[100:]),
        ("bytes=-5", CONTENT[-5:]),
        ("bytes=10239-20000", CONTENT[-1:]),
    ],
)
def test_a_part_of_it(client: FlaskClient, path: str, sent: str, expected: bytes) -> None:
    answer = client.get(path, headers={"Range": sent})
    assert (answer.status_code, answer.data) == (206, expected)
    assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")
    assert answer.headers["Content-Length"] == str(len(expected))


def test_several_parts_of_it(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Range": "bytes=0-1,-2"})
    assert answer.status_code == 206
    assert answer.mimetype == "multipart/byteranges"
    assert answer.data.count(b"Content-Type: image/png") == 2
    assert b"Content-Range: bytes 10238-10239/10240\r\n\r\n\xfe\xff\r\n" in answer.data


def test_a_part_that_is_not_there(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Range": "bytes=10240-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */10240"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_part_of_what_it_was(client: FlaskClient, path: str, rose: StoredFile) -> None:
    part = {"Range": "bytes=0-9"}
    assert client.get(path, headers=part | {"If-Range": f'"{rose.sha256}"'}).status_code == 206
    assert client.get(path, headers=part | {"If-Range": '"other"'}).status_code == 200


def test_what_a_client_has_already(client: FlaskClient, path: str, rose: StoredFile) -> None:
    for fields in ({"If-None-Match": f'"{rose.sha256}"'}, {"If-Modified-Since": formatdate(rose.created, usegmt=True)}):
        answer = client.get(path, headers=fields)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == f'"{rose.sha256}"'
        assert answer.headers["Cache-Control"].startswith("public, max-age=6")
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_is_not_a_file_is_all_alike(client: FlaskClient, gateway: Gateway, path: str, rose: StoredFile) -> None:
    other = stored(gateway, b"x", "other.png")
    deleted = stored(gateway, b"x", "deleted.png")
    assert gateway.parts.files.delete(deleted.id)
    wrong = [
        "/files", "/files/", f"/files/{rose.id}", f"/files/{rose.id}/", f"{path}/", f"/files/{rose.id}/other.png",
        f"/files/{rose.id}/../{rose.id}/rose.png", f"/files/{rose.id}%2Frose.png", f"/files//{rose.id}/rose.png", f"{path}%00",
        "/files/" + "A" * 24 + "/rose.png", f"/files/../files/{rose.id}/rose.png", "/files/..%2F..%2Fetc/passwd", f"/files/{rose.id}/ROSE.PNG",
        path_of(gateway, deleted), f"/files/{other.id}/rose.png", "/files/.slots/rose.png", f"/files/{rose.id}.json/rose.png",
        f"/files/{rose.id}/{'a' * 3000}",
    ]  # fmt: skip
    answers = [client.get(each) for each in wrong]
    assert {(answer.status_code, answer.mimetype, answer.get_json()["detail"]) for answer in answers} == {
        (404, "application/problem+json", "There is no file at this address")
    }
    assert client.get(path).status_code == 200


def test_other_methods(client: FlaskClient, path: str) -> None:
    for method in ("POST", "DELETE", "PATCH", "PROPFIND", "BREW"):
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, PUT")


def test_a_web_page_may_ask(client: FlaskClient, path: str) -> None:
    answer = client.options(path, headers={"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"})
    assert answer.status_code in (200, 204)
    fields = answer.headers
    assert fields["Access-Control-Allow-Origin"] == "*"
    assert fields["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS, PUT"
    assert fields["Access-Control-Allow-Headers"] == "Authorization, Content-Type, Range, If-None-Match, If-Range"
    assert fields["Access-Control-Expose-Headers"] == "Content-Length, Content-Range, ETag, Accept-Ranges"


def test_a_name_in_any_form_of_unicode(client: FlaskClient, gateway: Gateway) -> None:
    file = stored(gateway, b"x", "Ré sumé.txt", "text/plain")  # decomposed
    assert file.name == "R\u00e9 sum\u00e9.txt"
    assert path_of(gateway, file) == f"/files/{file.id}/R%C3%A9%20sum%C3%A9.txt"
    for name in ("R%C3%A9%20sum%C3%A9.txt", "Re%CC%81%20sume%CC%81.txt", "%52%C3%A9%20sum%c3%a9.txt"):
        answer = client.get(f"/files/{file.id}/{name}")
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == "inline; filename=\"Re sume.txt\"; filename*=UTF-8''R%C3%A9%20sum%C3%A9.txt"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("image/svg+xml", "attachment"), ("text/html", "attachment"), ("application/xhtml+xml", "attachment"), ("text/xml", "attachment"),
        ("application/pdf", "attachment"), ("text/javascript", "attachment"), ("text/plain; charset=utf-8", "inline"), ("video/mp4", "inline"),
    ],
)  # fmt: skip
def test_what_is_saved_and_what_is_shown(client: FlaskClient, gateway: Gateway, kind: str, shown: str) -> None:
    answer = client.get(path_of(gateway, stored(gateway, b"<svg/>", "x", kind)))
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Content-Disposition"].split(";")[0] == shown


def test_a_file_is_gone_in_the_second_of_its_end(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stored(gateway, b"x")
    assert file.expires is not None
    path = path_of(gateway, file)
    monkeypatch.setattr("time.time", lambda end=file.expires: end - 1)
    assert client.get(path).status_code == 200
    monkeypatch.setattr("time.time", lambda end=file.expires: end)
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("/files/Yl5oH0rQm3s1c2UeXo9xSw/rose.png?x=1", "/files/…/rose.png"),
        ("/gw/files/Yl5oH0rQm3s1c2UeXo9xSw", "/gw/files/…"),
        ("/rest/files/Yl5oH0rQm3s1c2UeXo9xSw", "/rest/files/…"),
        ("/rest/files", "/rest/files"),
    ],
)
def test_the_log_does_not_have_what_lets_others_read(sent: str, told: str) -> None:
    assert log_path({"RAW_URI": sent}) == told
