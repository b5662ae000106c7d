"""Batches of commands: each line is answered as the call alone would be, whatever the other lines are (commands-api §18)."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.api.commands.conftest import ADMIN, Run
from tests.api.commands.test_examples import EXAMPLES
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.link.fake import attach
from tests.logs.fields import audited
from tests.raising import raising
from xmpp_rest.api import lines
from xmpp_rest.api.lines import GROUP
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.protocol.jid import parse_jid

NDJSON = "application/x-ndjson"
MESSAGE = {"from": f"nurse@{DOMAIN}", "to": "friar@verona.example", "type": "chat", "subject": "", "body": "Madam!"}
JULIET = {"user": "juliet", "host": DOMAIN}


def line(command: Any, **arguments: Any) -> dict[str, Any]:
    return {"command": command, "arguments": arguments}


def message(**changes: Any) -> dict[str, Any]:
    return line("send_message", **MESSAGE | changes)


def post(client: FlaskClient, *lines: Any, path: str = "/api", headers: dict[str, str] = ADMIN, **more: Any) -> TestResponse:
    body = b"".join((text if isinstance(text, bytes) else json.dumps(text).encode()) + b"\n" for text in lines)
    # buffered: the answer is read and its file closed, also where a test looks at nothing but the effects
    return client.post(path, data=body, headers={"Content-Type": NDJSON} | headers, buffered=True, **more)


def answers(response: TestResponse) -> list[dict[str, Any]]:
    assert (response.status_code, response.headers["Content-Type"]) == (200, NDJSON), response.data
    assert int(response.headers["Content-Length"]) == len(response.data)
    return [json.loads(text) for text in response.data.splitlines()]


class Sent:
    """Takes the place of the link, and knows which messages went out together."""

    def __init__(self, gateway: Gateway) -> None:
        self.groups: list[list[str | None]] = []
        gateway.start()
        attach(gateway.parts.router, lambda _, stanza: self._sent([stanza]), lambda _domain, stanzas, _texts: self._sent(stanzas))

    def _sent(self, stanzas: Sequence[Element]) -> None:
        self.groups.append([stanza.findtext("body") for stanza in stanzas])


@pytest.fixture
def sent(gateway: Gateway) -> Sent:
    return Sent(gateway)


# what is said of each line


def test_each_line_is_answered_in_order(client: FlaskClient) -> None:
    lines = [line("stats", name="registeredusers"), line("stats/v0", name="registeredusers"), {"command": "registered_vhosts"}]
    assert answers(post(client, *lines)) == [
        {"line": 1, "command": "stats", "status": 200, "result": 3},
        {"line": 2, "command": "stats/v0", "status": 200, "result": {"stat": 3}},
        {"line": 3, "command": "registered_vhosts", "status": 200, "result": [DOMAIN]},
    ]


def test_a_line_costs_itself_alone(client: FlaskClient) -> None:
    bad = [
        b"{",
        b"\xff",
        b"[]",
        {"arguments": {}},
        line(5),
        line("/"),
        {"command": "stats", "arguments": []} | {"x": 1},
        line("stats", name="x") | {"x": 1},
    ]
    bad += [
        {"command": "stats", "arguments": "x"},
        line("no_such"),
        line("check_account", user="juliet"),
        line("stats", host="montague.example", name="x"),
    ]
    bad += [line("registered_users", host="montague.example")]
    found = answers(post(client, *bad, line("check_account", **JULIET)))
    assert [(a["line"], a["status"], a.get("command")) for a in found[:-1]] == [
        (1, 400, None), (2, 400, None), (3, 400, None), (4, 400, None), (5, 400, None), (6, 400, None), (7, 400, None), (8, 400, None), (9, 400, None),
        (10, 404, "no_such"), (11, 400, "check_account"), (12, 400, "stats"), (13, 403, "registered_users"),
    ]  # fmt: skip
    assert found[0]["error"] == "400 Bad Request"
    assert found[3]["error"] == {"status": "error", "code": 40, "message": "Missing command name."}
    assert '"command"' in found[3]["detail"]
    assert found[10]["error"] == "Request have missing argument: host"
    assert found[-1] == {"line": 14, "command": "check_account", "status": 200, "result": 0}


PLAIN_PASSWORD = "check_password_hash_sha"  # needs an account that the recorded server kept otherwise
LIKE_A_CALL = [
    e for e in EXAMPLES if e["request"]["method"] == "POST" and isinstance(e["request"].get("body"), dict) and e["name"] != PLAIN_PASSWORD
]


@pytest.mark.parametrize("example", LIKE_A_CALL, ids=lambda e: e["name"])
def test_recorded_answers(app: Flask, example: dict[str, Any]) -> None:
    """The answer of a line is the one that the recorded call gets, to the letter."""
    client, request = app.test_client(), example["request"]
    for call in example["setup"]:
        assert client.post(call["path"], data=json.dumps(call["body"]), headers=ADMIN).status_code == 200
    command = request["path"].removeprefix("/api/")
    headers = {k: v for k, v in request["headers"].items() if k != "Content-Type"}
    response = post(client, {"command": command, "arguments": request["body"]}, headers=headers)
    recorded = example["response"]
    if response.status_code == 401:  # of the whole batch, whatever its lines are
        assert recorded["status"] in (401, 404)
        return
    (answer,) = answers(response)
    assert (answer["command"], answer["status"]) == (command, recorded["status"])
    if example["compare"] == "exact":
        assert answer["result" if recorded["status"] == 200 else "error"] == recorded["body"]


@pytest.mark.parametrize(
    ("path", "named"), [("/api", False), ("/api/", False), ("/api/v0", True), ("/api/v1", False), ("/v0/api", True), ("/v0/api/v1", False)]
)
def test_the_version_of_all_lines(client: FlaskClient, path: str, named: bool) -> None:
    mine, own = answers(post(client, line("stats", name="registeredusers"), line("stats/v0", name="registeredusers"), path=path))
    assert mine["result"] == ({"stat": 3} if named else 3)
    assert own["result"] == {"stat": 3}


def test_only_lines_without_a_command_are_a_batch(client: FlaskClient) -> None:
    assert client.post("/api", data=b"{}", headers=ADMIN).status_code == 400
    single = client.post("/api/stats", data=b'{"name":"registeredusers"}', headers=ADMIN | {"Content-Type": NDJSON})
    assert (single.status_code, single.get_json()) == (200, 3)
    assert client.put("/api", data=b"{}", headers=ADMIN | {"Content-Type": NDJSON}).status_code == 400


# messages that follow one another


def test_messages_that_follow_one_another_share_a_commit(client: FlaskClient, sent: Sent) -> None:
    found = answers(post(client, *(message(body=f"{n}") for n in range(300)), line("stats", name="registeredusers"), message(body="last")))
    assert [(a["line"], a["status"], a["result"]) for a in found] == [(n + 1, 200, 3 if n == 300 else 0) for n in range(302)]
    assert sent.groups == [[f"{n}" for n in range(GROUP)], [f"{n}" for n in range(GROUP, 300)], ["last"]]


def test_each_message_has_its_own_error(client: FlaskClient, sent: Sent, run: Run) -> None:
    changes: list[dict[str, str]] = [
        {"body": "1"},
        {"to": "@@"},
        {"body": "\u0007"},
        {"from": "a@montague.example"},
        {"body": "2"},
        {"to": "friar"},
    ]
    found = answers(post(client, *(message(**change) for change in changes)))
    singly = [run("send_message", MESSAGE | change) for change in changes]
    assert [(a["status"], a["result"] if a["status"] == 200 else a["error"]) for a in found] == singly
    assert [a["status"] for a in found] == [200, 400, 400, 400, 200, 400]
    assert [body for group in sent.groups[:-2] for body in group][:2] == ["1", "2"]


def test_messages_to_and_from_this_domain(client: FlaskClient, gateway: Gateway) -> None:
    inside = {"to": f"juliet@{DOMAIN}"}
    found = answers(post(client, message(**inside), message(**inside | {"from": "romeo@montague.example"}), message(**inside, body="3")))
    assert [a["status"] for a in found] == [200, 200, 200]
    assert len(list(gateway.driver.archive_find("juliet", DOMAIN, "archive"))) == 3


@pytest.mark.parametrize(
    ("error", "status"), [(GatewayError("outbox-full"), 503), (StorageError("no space"), 503), (OSError("the disk is on fire"), 500)]
)
def test_what_fails_is_told_as_by_a_call(
    client: FlaskClient, gateway: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    gateway.start()
    monkeypatch.setattr(gateway.parts.sending, "_batch_sender", raising(error))
    monkeypatch.setattr(gateway.parts.sending, "post", raising(error))
    failed, done = answers(post(client, message(), line("stats", name="registeredusers")))
    assert (failed["status"], failed["error"]) == run("send_message", MESSAGE)
    assert (failed["status"], done["status"]) == (status, 200)


def test_from_another_process(make_app: MakeApp, tmp_path: Path) -> None:
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    register_users(apps[0])
    leader, follower = (app.extensions["gateway"] for app in apps)
    sent = Sent(leader)
    follower.start()
    assert follower.parts.remote.follows()
    found = answers(
        post(apps[1].test_client(), *(message(body=f"{n}") for n in range(10)), message(body="\u0007"), line("register", **JULIET))
    )
    assert [a["status"] for a in found] == [200] * 10 + [400, 400]
    assert [text for group in sent.groups for text in group] == [f"{n}" for n in range(10)]


# the body


def test_bounds(make_app: MakeApp) -> None:
    client = make_app(rest_stanza_size_limit="1024", rest_batch_stanzas="3", rest_batch_size_limit="9000").test_client()
    long = line("stats", name="x" * 2000)
    found = answers(post(client, {"command": "registered_vhosts"}, long, b"", {"command": "registered_vhosts"}))
    assert [(a["line"], a["status"]) for a in found] == [(1, 200), (2, 413), (4, 413)]
    assert [a["error"]["message"] for a in found[1:]] == ["The line is longer than 1024 bytes.", "The batch has more than 3 lines."]
    whole = post(client, *[long] * 5)
    assert (whole.status_code, whole.get_json()["message"]) == (413, "The request body is larger than 9000 bytes.")


def test_a_body_of_unknown_length(make_app: MakeApp) -> None:
    client = make_app(rest_batch_size_limit="100000").test_client()
    body = b'{"command":"registered_vhosts"}\n' * 10_000
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = client.post("/api", input_stream=io.BytesIO(body), headers=ADMIN | {"Content-Type": NDJSON}, environ_overrides=environ)
    *done, last = answers(response)
    assert {a["status"] for a in done} == {200}
    assert (last["status"], last["error"]["message"]) == (413, "The request body is larger than 100000 bytes.")


def test_a_body_that_breaks_off(client: FlaskClient, sent: Sent) -> None:
    body = b"".join(json.dumps(message(body=f"{n}")).encode() + b"\n" for n in range(3))[:-10]
    headers = ADMIN | {"Content-Type": NDJSON}
    response = client.post(
        "/api", input_stream=io.BytesIO(body), headers=headers, environ_overrides={"CONTENT_LENGTH": str(len(body) + 10)}
    )
    assert response.status_code == 400
    assert "2" not in [text for group in sent.groups for text in group], "half a line is not run"


def test_a_client_that_goes_away(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.start()
    exists = gateway.parts.accounts.exists
    monkeypatch.setattr(ClientConnection, "gone", lambda _self: exists(parse_jid(f"romeo1@{DOMAIN}")))
    lines = [line("register", user=f"romeo{n}", host=DOMAIN, password="R0m30-forever") for n in range(5)]
    post(client, *lines)
    assert [exists(parse_jid(f"romeo{n}@{DOMAIN}")) for n in range(5)] == [True, True, False, False, False]


# who


def test_credentials_come_first(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xmpp_rest.audit")
    refused = post(client, {"command": "registered_vhosts"}, headers=basic(f"admin@{DOMAIN}", "wrong"))
    assert (refused.status_code, refused.get_json()["code"]) == (401, 10)
    assert audited(caplog) == [(None, "127.0.0.1", "", {}, 401)]


@pytest.mark.parametrize("headers", [{}, basic(f"juliet@{DOMAIN}")])
def test_rights_are_those_of_a_call(client: FlaskClient, headers: dict[str, str]) -> None:
    found = answers(post(client, message(), line("no_such"), line("registered_users", host=DOMAIN), headers=headers))
    assert [(a["status"], a["error"]["code"]) for a in found] == [(403, 32), (404, 40), (403, 32)]


def test_the_caller_is_looked_at_again_after_each_command(client: FlaskClient) -> None:
    lines = [
        line("change_password", user="admin", host=DOMAIN, newpass="an0ther-one"),
        *[line("registered_users", host=DOMAIN)] * 30,
        message(),
    ]
    found = answers(post(client, *lines))
    assert [a["status"] for a in found] == [200] + [401] * 31
    assert answers(post(client, message(), headers=basic(f"admin@{DOMAIN}", "an0ther-one")))[0]["status"] == 200, "not throttled"


@pytest.mark.parametrize("credentials", [ADMIN, {}])
def test_foreign_pages(client: FlaskClient, sent: Sent, credentials: dict[str, str]) -> None:
    refused = post(client, message(), headers=credentials | {"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, refused.get_json()["code"], sent.groups) == (403, 32, [])


def test_the_audit_has_each_line(client: FlaskClient, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xmpp_rest.audit")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("send_message", MESSAGE),
        ("register", {"user": "a b", "host": DOMAIN, "password": "s3cr3t"}),
        ("no_such/v1", {}),
        ("stats", {"x": 1}),
    ]
    post(client, *(line(name, **arguments) for name, arguments in calls), b"{")
    *found, broken = audited(caplog)
    caplog.clear()
    for name, arguments in calls:
        run(name, arguments)
    assert found == audited(caplog)
    assert broken == (None, "127.0.0.1", "", {}, 400)
    assert "s3cr3t" not in caplog.text


def test_groups_are_bounded(client: FlaskClient, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "GROUP", 2)
    assert len(answers(post(client, *(message(body=f"{n}") for n in range(5))))) == 5
    assert sent.groups == [["0", "1"], ["2", "3"], ["4"]]
    monkeypatch.setattr(lines, "GROUP_SIZE", 1)
    assert len(answers(post(client, *(message(body=f"{n}") for n in range(2))))) == 2
    assert sent.groups[3:] == [["0"], ["1"]]
