"""Batches: stanzas are sent in order, and each is answered on a line of its own, whatever the body is (application/x-ndjson)."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, TOKEN, MakeApp, basic
from tests.link.fake import attach
from xmpp_rest.api import lines as ndjson
from xmpp_rest.api.lines import CHUNK, BatchLine, BodyLimits, read_lines
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.parse import parse_text

NDJSON = "application/x-ndjson"
NURSE = f"nurse@{DOMAIN}"


def hello(n: int | str, **fields: Any) -> dict[str, Any]:
    return {"to": NURSE, "body": f"{n}", "type": "chat", "id": f"m{n}"} | fields


def post(client: FlaskClient, *lines: Any, user: str = "juliet", path: str = "/rest", **fields: str) -> TestResponse:
    body = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    headers = {"Content-Type": NDJSON} | basic(user) | {k.replace("_", "-"): v for k, v in fields.items()}
    return client.post(path, data=body, headers=headers)


def answers(response: TestResponse) -> list[dict[str, Any]]:
    assert (response.status_code, response.headers["Content-Type"]) == (200, NDJSON)
    assert int(response.headers["Content-Length"]) == len(response.data)
    return [json.loads(line) for line in response.data.splitlines()]


def bodies(gateway: Gateway, user: str = "nurse") -> list[str | None]:
    return [parse_text(i.stanza).findtext("body") for i in gateway.driver.archive_find(user, DOMAIN, "archive")]


# what is said of each line


def test_accepted_in_order(client: FlaskClient, gateway: Gateway) -> None:
    response = post(client, *(hello(n) for n in range(100)))
    assert answers(response) == [{"line": n + 1, "id": f"m{n}", "outcome": "accepted"} for n in range(100)]
    assert bodies(gateway) == [f"{n}" for n in range(100)]


def test_an_id_is_made(client: FlaskClient) -> None:
    (answer,) = answers(post(client, {"to": NURSE, "body": "x"}))
    assert len(answer["id"]) == 24


def test_each_line_has_its_own_outcome(client: FlaskClient, gateway: Gateway) -> None:
    lines = [
        hello(1),
        b"{",
        hello(3, to="@"),
        hello(4, to=f"nobody@{DOMAIN}"),
        {"kind": "iq", "type": "get", "to": DOMAIN, "id": "p", "ping": True},
        {"kind": "iq", "type": "result", "to": DOMAIN, "ping": True},
        hello(7, **{"from": NURSE}),
        {"kind": "presence", "to": NURSE, "id": "p8"},
        {"kind": "iq", "type": "get", "to": "montague.example", "id": "p9", "ping": True},
        b"[]",
        b"\xff",
        hello(12),
    ]
    found = answers(post(client, *lines))
    assert [(a["line"], a["outcome"], a.get("code"), a.get("id")) for a in found] == [
        (1, "accepted", None, "m1"),
        (2, "error", 400, None),
        (3, "error", 422, None),
        (4, "refused", None, "m4"),
        (5, "answered", None, "p"),
        (6, "error", 422, None),
        (7, "error", 403, None),
        (8, "accepted", None, "p8"),
        (9, "answered", None, "p9"),
        (10, "error", 400, None),
        (11, "error", 400, None),
        (12, "accepted", None, "m12"),
    ]
    assert found[2]["error"]["condition"] == "improper-addressing"
    assert {k: found[3]["error"][k] for k in ("type", "condition")} == {"type": "cancel", "condition": "service-unavailable"}
    assert found[4]["answer"] == {"kind": "iq", "type": "result", "id": "p", "from": DOMAIN, "to": f"juliet@{DOMAIN}"}
    assert found[5]["error"]["text"] == "'iq' stanza must be of type 'get' or 'set'"
    assert found[8]["answer"]["error"]["condition"] == "remote-server-not-found"
    assert bodies(gateway) == ["1", "12"]


def test_the_results_of_an_archive_query(client: FlaskClient) -> None:
    query = {"kind": "iq", "type": "set", "archive": {}}
    told, answer = answers(post(client, hello(1, to=f"juliet@{DOMAIN}"), query))
    assert told["outcome"] == "accepted"
    message, iq = answer["answer"]["xmpp"]
    assert message["archive"]["forward"]["message"]["body"] == "1"
    assert iq["kind"] == "iq"


def test_the_component_sends_as_anybody_of_its_domain(client: FlaskClient, gateway: Gateway) -> None:
    line = json.dumps(hello(1, **{"from": f"bot@{DOMAIN}"}))
    response = client.post("/rest", data=line, headers={"Content-Type": NDJSON, "Authorization": TOKEN})
    assert answers(response)[0]["outcome"] == "accepted"
    assert bodies(gateway) == ["1"]


@pytest.mark.parametrize(
    ("error", "code", "condition"),
    [(GatewayError("outbox-full"), 503, "resource-constraint"), (StorageError("no space"), 503, "internal-server-error")],
)
def test_what_fails_is_told_and_the_rest_goes_on(
    client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, condition: str
) -> None:
    gateway.start()
    send = gateway.parts.router.send

    def sometimes(stanza: Element) -> Element | None:
        if stanza.get("id") == "m1":
            raise error
        return send(stanza)

    monkeypatch.setattr(gateway.parts.router, "send", sometimes)
    first, second = answers(post(client, hello(1), hello(2)))
    assert (first["id"], first["outcome"], first["code"], first["error"]["condition"]) == ("m1", "error", code, condition)
    assert second["outcome"] == "accepted"


def test_iqs_of_a_batch_do_not_wait_forever(make_app: MakeApp) -> None:
    app = make_app(rest_iq_timeout="0.3", rest_iq_max_timeout="0.5")
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    attach(gateway.parts.router, lambda _, stanza: None)
    iqs = [{"kind": "iq", "type": "get", "to": "montague.example", "id": f"{n}", "ping": True} for n in range(4)]
    response = app.test_client().post(
        "/rest", data="\n".join(map(json.dumps, iqs)), headers={"Content-Type": NDJSON} | basic("admin")
    )
    found = [a["error"] for a in answers(response)]
    assert [e["condition"] for e in found] == ["remote-server-timeout"] * 2 + ["resource-constraint"] * 2
    assert "send the rest in another one" in found[3]["text"]


def test_an_answer_without_a_json_form(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = parse_text("<iq type='result'><payload xmlns='urn:xmpp:json-msg:0' datatype='x'><json xmlns='urn:xmpp:json:0'>{</json></payload></iq>")
    gateway.start()
    monkeypatch.setattr(gateway.parts.sending, "ask", lambda *_: (broken, []))
    (answer,) = answers(post(client, {"kind": "iq", "type": "get", "id": "1", "ping": True}))
    assert (answer["id"], answer["code"], answer["error"]["condition"]) == ("1", 500, "undefined-condition")


# the body


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_ends_of_lines_and_blank_ones(client: FlaskClient, end: bytes) -> None:
    body = end.join([b"", json.dumps(hello(1)).encode(), b" \t", b"", json.dumps(hello(2)).encode()])
    response = client.post("/rest", data=body, headers={"Content-Type": NDJSON} | basic("juliet"))
    assert [(a["line"], a["outcome"]) for a in answers(response)] == [(2, "accepted"), (5, "accepted")]


def test_nothing(client: FlaskClient) -> None:
    assert answers(post(client)) == []


def test_a_line_is_bounded_as_a_stanza_is(make_app: MakeApp) -> None:
    app = make_app(rest_stanza_size_limit="1024")
    fits = json.dumps({"body": ""}).encode()
    fits = fits[:-2] + b"x" * (1024 - len(fits)) + fits[-2:]
    long, longest = fits.replace(b"x", b"xy", 1), b"x" * 300_000
    found = answers(post(app.test_client(), fits, long, longest, {"body": "y"}, user="admin"))
    assert [(a["line"], a["outcome"], a.get("code")) for a in found] == [
        (1, "accepted", None), (2, "error", 413), (3, "error", 413), (4, "accepted", None),
    ]  # fmt: skip
    assert found[2]["error"]["context"] == {"exceeded": "line", "limit": 1024}


def test_lines_are_counted(make_app: MakeApp) -> None:
    app = make_app(rest_batch_stanzas="3")
    found = answers(post(app.test_client(), *({"body": f"{n}"} for n in range(9)), user="admin"))
    assert [(a["line"], a["outcome"]) for a in found] == [(1, "accepted"), (2, "accepted"), (3, "accepted"), (4, "error")]
    assert found[3]["error"]["context"] == {"exceeded": "lines", "limit": 3}
    assert len(answers(post(app.test_client(), *({"body": f"{n}"} for n in range(3)), user="admin"))) == 3


def test_the_whole_body_is_bounded_by_a_limit_of_its_own(make_app: MakeApp) -> None:
    app = make_app(rest_stanza_size_limit="1024", rest_batch_size_limit="5000", server_body_limit="2000")
    line = {"body": "x" * 900}
    assert len(answers(post(app.test_client(), *[line] * 5, user="admin"))) == 5
    refused = post(app.test_client(), *[line] * 6, user="admin")
    assert (refused.status_code, refused.get_json()["error"]["condition"]) == (413, "resource-constraint")


def test_a_body_of_unknown_length_is_bounded_too(make_app: MakeApp) -> None:
    app = make_app(rest_batch_size_limit="200000")
    body = b"".join(json.dumps({"body": f"{n}" + "x" * 10_000}).encode() + b"\n" for n in range(30))
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = app.test_client().post(
        "/rest", input_stream=io.BytesIO(body), headers={"Content-Type": NDJSON} | basic("admin"), environ_overrides=environ
    )
    *sent, last = answers(response)
    assert len(sent) >= 10
    assert all(a["outcome"] == "accepted" for a in sent)
    assert (last["code"], last["line"], last["error"]["context"]["exceeded"]) == (413, len(sent) + 1, "body")


def test_answers_that_do_not_fit_into_memory(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "IN_MEMORY", 100)
    assert len(answers(post(client, *(hello(n) for n in range(50))))) == 50


def test_a_client_that_goes_away(client: FlaskClient, gateway: Gateway) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if found := super().read(size):
                return found
            raise OSError("reset")

    body = b"".join(json.dumps(hello(n)).encode() + b"\n" for n in range(3))[:-10]
    response = client.post(
        "/rest",
        input_stream=Breaks(body),
        headers={"Content-Type": NDJSON} | basic("juliet"),
        environ_overrides={"CONTENT_LENGTH": str(len(body) + 10)},
    )
    assert response.status_code == 400
    assert "2" not in bodies(gateway), "half a line is not sent"


# who, where


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (basic("juliet", "wrong"), 403)])
def test_credentials_come_first(client: FlaskClient, headers: dict[str, str], status: int) -> None:
    assert client.post("/rest", data="{}\n", headers={"Content-Type": NDJSON} | headers).status_code == status


@pytest.mark.parametrize("path", ["/rest/echo", f"/rest/message/chat/{NURSE}"])
def test_only_at_rest_itself(client: FlaskClient, path: str) -> None:
    assert post(client, hello(1), path=path).status_code == 415


def test_a_key_for_many_is_refused(client: FlaskClient, gateway: Gateway) -> None:
    refused = post(client, hello(1), Idempotency_Key="x")
    assert (refused.status_code, "Idempotency-Key" in refused.get_json()["error"]["text"]) == (400, True)
    assert bodies(gateway) == []


@pytest.mark.parametrize("accept", ["application/x-ndjson", "application/xmpp+xml", "*/*", "text/html"])
def test_whatever_is_accepted(client: FlaskClient, accept: str) -> None:
    assert len(answers(post(client, hello(1), Accept=accept))) == 1


# lines alone


class Dribble(io.BytesIO):
    """Gives what it has in small pieces."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7)


@pytest.mark.parametrize("stream", [io.BytesIO, Dribble])
@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", []),
        (b"a", [BatchLine(1, b"a")]),
        (b"a\nb\r\n\nc\r", [BatchLine(1, b"a"), BatchLine(2, b"b"), BatchLine(4, b"c")]),
        (b"1234567890\r\n12345678901\nx", [BatchLine(1, b"1234567890"), BatchLine(2, None, "line"), BatchLine(3, b"x")]),
        (b"y" * 30 + b"\nx", [BatchLine(1, None, "line"), BatchLine(2, b"x")]),
        (b"y" * 30, [BatchLine(1, None, "line")]),
        (b"1\n2\n3\n4\n5\n6", [BatchLine(1, b"1"), BatchLine(2, b"2"), BatchLine(3, b"3"), BatchLine(4, b"4"), BatchLine(5, None, "lines")]),
        (b"1\n2\n3\n4\n\n\n\n", [BatchLine(1, b"1"), BatchLine(2, b"2"), BatchLine(3, b"3"), BatchLine(4, b"4")]),
    ],
)
def test_lines(stream: type[io.BytesIO], body: bytes, lines: list[BatchLine]) -> None:
    assert list(read_lines(stream(body), BodyLimits(10, 4, 100))) == lines


def test_a_line_longer_than_a_chunk() -> None:
    body = b"a" * (CHUNK * 3) + b"\nb"
    assert list(read_lines(io.BytesIO(body), BodyLimits(CHUNK * 3, 9, 1 << 30))) == [BatchLine(1, b"a" * (CHUNK * 3)), BatchLine(2, b"b")]
