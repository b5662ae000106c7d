"""`POST /rest/files`: forms of the request, what is sent, the answer, and what is refused in which order."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.link.fake import attach
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.refused import FileRefused

ROMEO, TYBALT = "romeo@montague.example", "tybalt@montague.example"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HEX = hashlib.sha256(PNG).hexdigest()
GOOD = {"to": ROMEO, "name": "rose.png"}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return register_users(make_app(server_public_url="https://gw.example", rest_recipients="100"))


@pytest.fixture
def sent(app: Flask) -> list[Element]:
    out: list[Element] = []
    attach(app.extensions["gateway"].parts.router, lambda _, stanza: out.append(stanza))
    return out


def post(
    client: FlaskClient, data: Any = PNG, query: Any = None, headers: dict[str, str] | None = None, user: str = "juliet"
) -> TestResponse:
    kind = {} if headers and "Content-Type" in headers else {"Content-Type": "image/png"}
    return client.post("/rest/files", data=data, query_string=query or {}, headers=basic(user) | kind | (headers or {}))


def form(client: FlaskClient, *parts: tuple[str, Any], query: Any = None) -> TestResponse:
    """A form with these parts in this order: texts, and tuples of content, name and type."""
    lines = []
    for name, value in parts:
        content, more = (value, "") if isinstance(value, str) else (value[0], f'; filename="{value[1]}"\r\nContent-Type: {value[2]}')
        data = content.encode() if isinstance(content, str) else content
        lines.append(f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n")
    body = b"".join(lines) + b"--B--\r\n"
    return post(client, body, query, {"Content-Type": "multipart/form-data; boundary=B"})


def problem(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["status"] == status
    return str(answer.json["detail"])


def test_one_request_sends_a_picture(client: FlaskClient, sent: list[Element]) -> None:
    answer = post(client, PNG, {"to": ROMEO, "caption": "Look", "name": "a rose.png", "width": "8", "height": "9"})
    assert answer.status_code == 201
    said = answer.json
    assert said is not None
    url = said["url"]
    assert answer.headers["Location"] == url == f"https://gw.example/files/{said['id']}/a%20rose.png"
    assert (said["name"], said["size"], said["media_type"], said["sha-256"]) == ("a rose.png", len(PNG), "image/png", HEX)
    assert said["expires"].endswith("Z")
    (one,) = said["messages"]
    assert (one["to"], one["type"], one["outcome"]) == (ROMEO, "chat", "accepted")
    caption, file = sent
    assert [(s.get("id"), s.get("to"), s.get("type")) for s in sent] == [(one["caption_id"], ROMEO, "chat"), (one["id"], ROMEO, "chat")]
    assert serialise(caption).endswith("><body>Look</body></message>")
    sha = base64.b64encode(hashlib.sha256(PNG).digest()).decode()
    assert serialise(file).partition(">")[2] == (
        f"<body>{url}</body><x xmlns='jabber:x:oob'><url>{url}</url></x>"
        "<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'><file xmlns='urn:xmpp:file:metadata:0'>"
        f"<media-type>image/png</media-type><name>a rose.png</name><size>{len(PNG)}</size><width>8</width><height>9</height>"
        f"<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{sha}</hash></file>"
        f"<sources><url-data xmlns='http://jabber.org/protocol/url-data' target='{url}'/></sources></file-sharing>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback></message>"
    )
    assert client.get(f"/rest/outcome/{one['id']}", headers=basic("juliet")).status_code == 200


def test_each_recipient_gets_caption_and_file_in_order(client: FlaskClient, sent: list[Element]) -> None:
    answer = post(client, PNG, [("to", ROMEO), ("to", TYBALT), ("to", "ROMEO@montague.example"), ("caption", "Hi")])
    assert answer.status_code == 201
    assert answer.json is not None
    assert [m["to"] for m in answer.json["messages"]] == [ROMEO, TYBALT]
    assert [s.get("to") for s in sent] == [ROMEO, ROMEO, TYBALT, TYBALT]
    assert len({s.get("id") for s in sent}) == 4


def test_without_a_recipient_it_is_only_uploaded(client: FlaskClient, sent: list[Element]) -> None:
    answer = post(client, b"{}", headers={"Content-Type": "application/json; x=y; charset=UTF-8"})
    assert answer.status_code == 201
    assert answer.json is not None
    assert (answer.json["messages"], answer.json["media_type"], answer.json["name"]) == ([], "application/json; charset=UTF-8", "file.json")
    assert sent == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_parts_before_and_behind_the_file_count(place: int, client: FlaskClient, sent: list[Element]) -> None:
    parts: list[tuple[str, Any]] = [("to", ROMEO), ("caption", "Look\nthere")]
    parts.insert(place, ("x", (PNG, "r\u00f6se.png", "image/png")))
    answer = form(client, *parts, query={"expire": "60"})
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert (answer.json["name"], answer.json["media_type"], answer.json["sha-256"]) == ("r\u00f6se.png", "image/png", HEX)
    assert [s.findtext("body") for s in sent] == ["Look\nthere", answer.json["url"]]


def test_a_form_has_its_file_itself(client: FlaskClient) -> None:
    file = ("f", (b"x", "a", "a/b"))
    assert problem(form(client, file, query={"url": "https://a.example/"}), 422).startswith("url: ")
    assert problem(form(client, file, ("url", "https://a.example/")), 422).startswith("url: ")
    assert problem(form(client, file, ("to", "nurse")), 422).startswith("to: ")
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == 0  # type: ignore[index]


def test_a_name_behind_the_file(client: FlaskClient) -> None:
    answer = form(client, ("f", (b"<b>", "a.html", "text/html")), ("name", "b.txt"))
    assert answer.json is not None
    assert (answer.json["name"], answer.json["media_type"]) == ("b.txt", "text/html")
    assert client.get("/rest/files", headers=basic("juliet")).json["files"][0]["name"] == "b.txt"  # type: ignore[index]


DISPOSITIONS = {
    'attachment; filename="a.png"': "a.png",
    "attachment; filename=a.png; filename*=UTF-8''r%C3%B6se.png": "r\u00f6se.png",
    "attachment; filename*=utf-8'en'%e2%82%ac.png; filename=\"x.png\"": "\u20ac.png",
    'attachment; filename="a\\"b; filename*=c.png"': "ab; filename=c.png",
    "attachment; filename*=bad''x; filename=y.png": "y.png",
    'filename="z.png"': "z.png",
    'attachment; filename="../../etc/passwd.png"': "passwd.png",
    "nonsense": "file.png",
    "attachment; filename*=UTF-8''%ff; filename=u.png": "u.png",
    'attachment; filename="r\u00f6se.png"': "r\u00f6se.png",
    'attachment; filename="r\u00c3\u00b6se.png"': "r\u00f6se.png",
}


@pytest.mark.parametrize("field", DISPOSITIONS)
def test_the_name_in_content_disposition(field: str, client: FlaskClient) -> None:
    answer = post(client, headers={"Content-Disposition": field})
    assert answer.json is not None
    assert answer.json["name"] == DISPOSITIONS[field].replace("filename=c", "filename*=c")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"to": ""}, "to"), ({"to": "a@b@c"}, "to"), ({"caption": "Hi"}, "caption"), ({"tos": ROMEO}, "tos"), ({"type": "headline"}, "type"),
        ({"expire": "0"}, "expire"), ({"expire": "1.5"}, "expire"), ({"expire": "604801"}, "expire"), ({"width": "-1"}, "width"),
        ({"height": "x"}, "height"), ([("name", "a"), ("name", "b")], "name"), ({"nick": " "}, "nick"), ({"caption": "\x00", "to": ROMEO}, "caption"),
        ([("to", f"u{n}@a.example") for n in range(101)], "to"), ({"url": "http://x/"}, "url"), ("to=%ff%fe", "query string"),
        ({"caption": "x" * 300_000, "to": ROMEO}, "caption"), ({"caption": "\u20ac" * 100_000, "to": ROMEO}, "caption"), ({"nick": "a\x00"}, "nick"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named(query: Any, named: str, client: FlaskClient, sent: list[Element]) -> None:
    assert problem(post(client, PNG, query), 422).startswith(f"{named}: ")
    assert sent == []
    assert client.get("/rest/files", headers=basic("juliet")).json == {"files": [], "used": 0, "quota": 1 << 30}


@pytest.mark.parametrize("field", ["%ff", "%20", "a%00", "%c3%28"])
def test_a_field_that_is_no_nick(field: str, client: FlaskClient) -> None:
    answer = post(client, PNG, {"to": ROMEO}, {"Nick": field})
    assert problem(answer, 422).startswith("Nick: ")
    assert answer.json["condition"] == "jid-malformed"  # type: ignore[index]
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == 0  # type: ignore[index]


def test_a_nick_that_is_asked_for_twice(client: FlaskClient) -> None:
    """That of the query counts, and the field is not looked at."""
    assert post(client, PNG, {"to": ROMEO, "nick": "Jules"}, {"Nick": "%ff"}).status_code == 201


@pytest.mark.parametrize(
    ("error", "status", "used"), [(GatewayError("outbox-full"), 503, 0), (StorageError("the disk is gone"), 503, len(PNG))]
)
def test_messages_that_cannot_be_sent(
    error: Exception, status: int, used: int, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file goes where nobody was told of it, and stays where somebody may have been."""
    monkeypatch.setattr(app.extensions["gateway"].parts.file_sending.messages, "send", raising(error))
    problem(post(client, PNG, GOOD), status)
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == used  # type: ignore[index]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/x"), ("DELETE", "/x")])
def test_files_that_cannot_be_looked_at(method: str, path: str, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = raising(FileRefused(503, "internal-server-error", "The disk is gone", 60))
    for name in ("of", "get"):
        monkeypatch.setattr(app.extensions["gateway"].parts.files, name, refused)
    answer = client.open("/rest/files" + path, method=method, headers=basic("juliet"))
    assert problem(answer, 503) == "The disk is gone"
    assert answer.headers["Retry-After"] == "60"


def test_an_address_that_is_none(client: FlaskClient) -> None:
    assert problem(client.get("/rest/files", query_string={"of": "a@b@c"}, headers=basic("juliet")), 422).startswith("of: ")


def test_a_file_counts_for_the_limit_of_its_sender(make_app: MakeApp) -> None:
    client = register_users(make_app(limits_account="1")).test_client()
    assert post(client).status_code == 201
    answer = post(client)
    problem(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == len(PNG)  # type: ignore[index]


def test_a_body_that_is_not_what_its_coding_says(client: FlaskClient) -> None:
    assert problem(post(client, b"no gzip at all", None, {"Content-Encoding": "gzip"}), 400).startswith("Content-Encoding: ")
    answer = post(client, gzip.compress(PNG), None, {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json["sha-256"]) == (201, HEX)  # type: ignore[index]


def test_a_connection_that_breaks_off(client: FlaskClient) -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise ConnectionResetError("the client has gone")

    environ = {"wsgi.input": Broken(), "CONTENT_LENGTH": "1000"}
    assert "broke off" in problem(client.post("/rest/files", headers=basic("juliet"), environ_overrides=environ), 400)


def test_what_is_not_one_file(client: FlaskClient) -> None:
    assert "empty" in problem(post(client, b"", GOOD), 422)
    assert "empty" in problem(form(client, ("to", ROMEO)), 422)
    assert "empty" in problem(form(client, ("f", (b"", "a", "a/b"))), 422)
    assert "two files" in problem(form(client, ("f", (b"1", "a", "a/b")), ("g", (b"2", "b", "a/b"))), 422)
    assert "boundary" in problem(post(client, b"x", headers={"Content-Type": "multipart/form-data"}), 400)
    assert "broke off" in problem(
        post(
            client,
            b"--B\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\nabc",
            headers={"Content-Type": "multipart/form-data; boundary=B"},
        ),
        400,
    )
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == 0  # type: ignore[index]


def test_a_body_that_ends_early(app: Flask, client: FlaskClient) -> None:
    environ = {"wsgi.input": io.BytesIO(b"short"), "CONTENT_LENGTH": "1000"}
    answer = client.post("/rest/files", headers=basic("juliet"), environ_overrides=environ)
    assert "shorter" in problem(answer, 400)
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == 0  # type: ignore[index]


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise AssertionError("the body was read")


def test_the_order_of_refusals(make_app: MakeApp) -> None:
    app = register_users(make_app(files_max_size="1000", files_quota="1500", files_access="nurse@" + DOMAIN))
    client = app.test_client()

    def unread(size: int, headers: dict[str, str], query: Any = None) -> TestResponse:
        environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(size)}
        return client.post("/rest/files", headers=headers, query_string=query or {}, environ_overrides=environ)

    assert unread(9999, {}).status_code == 401
    assert problem(unread(9999, basic("nurse", "wrong")), 403)
    assert problem(unread(9999, basic("juliet"), {"x": "y"}), 422)
    assert "[files] access" in problem(unread(9999, basic("juliet")), 403)
    answer = unread(1001, basic("nurse"))
    assert "1000" in problem(answer, 413)
    assert answer.json["max_size"] == 1000  # type: ignore[index]
    assert post(client, b"x" * 1000, user="nurse").status_code == 201
    answer = unread(501, basic("nurse"))
    assert "1000" in problem(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 86400
    assert unread(9999, {"Authorization": TOKEN}).status_code == 413  # the component may always


def test_a_body_in_chunks_is_counted(make_app: MakeApp) -> None:
    client = register_users(make_app(files_max_size="100000")).test_client()

    def chunked(size: int) -> TestResponse:
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return client.post("/rest/files", input_stream=io.BytesIO(b"x" * size), headers=basic("juliet"), environ_overrides=environ)

    assert chunked(100000).json["size"] == 100000  # type: ignore[index]
    assert problem(chunked(100001), 413)
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == 100000  # type: ignore[index]


def test_no_bound_of_other_requests_holds(make_app: MakeApp) -> None:
    client = register_users(make_app(server_body_limit="2000", rest_stanza_size_limit="1024")).test_client()
    assert post(client, b"x" * 300000).json["size"] == 300000  # type: ignore[index]


def test_tokens_for_messages_alone(app: Flask, client: FlaskClient, sent: list[Element]) -> None:
    token = app.extensions["gateway"].parts.tokens.issue(parse_jid(f"juliet@{DOMAIN}"), ["send:romeo@*"], 60)
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "image/png"}
    assert client.post("/rest/files", data=PNG, query_string={"to": ROMEO}, headers=bearer).status_code == 201
    for query in ({}, {"to": TYBALT}, [("to", ROMEO), ("to", TYBALT)]):
        assert problem(client.post("/rest/files", data=PNG, query_string=query, headers=bearer), 403)
    assert problem(client.get("/rest/files", headers=bearer), 403)
    assert len(sent) == 1


def test_a_key_makes_it_once(client: FlaskClient, sent: list[Element]) -> None:
    first = post(client, PNG, GOOD, {"Idempotency-Key": "k"})
    again = post(client, PNG, GOOD, {"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
    assert (again.headers["Idempotent-Replayed"], again.headers["Location"]) == ("true", first.headers["Location"])
    assert len(sent) == 1
    assert problem(post(client, PNG + b"x", GOOD, {"Idempotency-Key": "k"}), 422)
    assert len(client.get("/rest/files", headers=basic("juliet")).json["files"]) == 1  # type: ignore[index]


def test_who_sends(app: Flask, client: FlaskClient, sent: list[Element]) -> None:
    bearer = {"Authorization": TOKEN}
    assert client.post("/rest/files", data=PNG, query_string={"to": ROMEO, "of": f"nurse@{DOMAIN}"}, headers=bearer).status_code == 201
    assert (
        client.post(
            "/rest/files", data=PNG, query_string={"to": ROMEO, "from": f"juliet@{DOMAIN}/balcony"}, headers=basic("juliet")
        ).status_code
        == 201
    )
    assert client.post("/rest/files", data=PNG, query_string={"to": ROMEO}, headers=bearer).status_code == 201
    assert [s.get("from") for s in sent] == [f"nurse@{DOMAIN}", f"juliet@{DOMAIN}/balcony", DOMAIN]
    for query in ({"of": f"nurse@{DOMAIN}"}, {"from": f"nurse@{DOMAIN}"}):
        assert problem(post(client, PNG, query), 403)
    assert problem(client.post("/rest/files", data=PNG, query_string={"of": ROMEO}, headers=bearer), 403)
    assert len(client.get("/rest/files", query_string={"of": f"nurse@{DOMAIN}"}, headers=basic("admin")).json["files"]) == 1  # type: ignore[index]


def test_ones_own_files(client: FlaskClient) -> None:
    made = [post(client, name.encode(), {"name": name}).json["id"] for name in ("a", "b")]  # type: ignore[index]
    mine = client.get("/rest/files", headers=basic("juliet")).json
    assert mine is not None
    assert {f["id"] for f in mine["files"]} == set(made)
    assert mine["used"] == 2
    one = client.get(f"/rest/files/{made[0]}", headers=basic("juliet"))
    assert one.json in mine["files"]
    for path in (made[0], "unknown", "..%2Fx"):
        assert problem(client.get(f"/rest/files/{path}", headers=basic("nurse")), 404)
        assert problem(client.delete(f"/rest/files/{path}", headers=basic("nurse")), 404)
    assert client.delete(f"/rest/files/{made[0]}", headers=basic("juliet")).status_code == 204
    assert client.delete(f"/rest/files/{made[1]}", headers=basic("admin")).status_code == 204
    assert client.get("/rest/files", headers=basic("juliet")).json == {"files": [], "used": 0, "quota": 1 << 30}


def test_preflights(client: FlaskClient) -> None:
    answer = client.options("/rest/files", headers={"Origin": "https://page.example", "Access-Control-Request-Method": "POST"})
    allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {"Authorization", "Content-Type", "Content-Disposition", "Prefer", "Idempotency-Key"}
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert "DELETE" in client.options("/rest/files/x").headers["Allow"]
