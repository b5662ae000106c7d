"""The access line: one for each answer, with all fields, and never the query."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from tests.logs.fields import fields
from xmpp_rest.answered import Answered
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.logs.access import AccessLog, AccessRecord
from xmpp_rest.logs.events import FieldsRecord
from xmpp_rest.logs.lines import JsonLines, TextLines

KEYS = ["method", "path", "status", "seconds", "api", "account", "address", "bytes_in", "bytes_out", "user_agent", "request_id"]
ANSWER = Answered("rest", "GET", "/rest", 200, 0.1, 2.0, True, 1, 2, None, "192.0.2.7", "curl", "r")


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xmpp_rest.access")


def test_all_fields(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    sent = basic(f"admin@{DOMAIN}") | {"User-Agent": "a" * 300, "X-Request-Id": "mine"}
    answer = client.post("/api/status?secret=1", data="{}", headers=sent, buffered=True)
    (line,) = fields(caplog, "request")
    assert list(line) == KEYS
    assert 0 < line.pop("seconds") < 60
    assert list(line.values()) == [
        "POST",
        "/api/status",
        200,
        "commands",
        f"admin@{DOMAIN}",
        "127.0.0.1",
        2,
        len(answer.data),
        "a" * 200,
        "mine",
    ]
    assert "secret" not in caplog.text
    assert caplog.text.count("xmpp_rest.access request method=POST path=/api/status status=200 seconds=0.") == 1


def test_what_is_not_known(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/" + "%C3%A4" * 500, buffered=True)
    (line,) = fields(caplog, "request")
    assert (line["account"], line["status"], line["api"], len(line["path"])) == (None, 404, "other", 512)
    assert " account=null " in caplog.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_lines_of_other_areas_have_the_path_as_it_was_sent(client: FlaskClient, caplog: pytest.LogCaptureFixture, method: str) -> None:
    caplog.set_level(logging.INFO, "xmpp_rest.server")
    client.open("/api/messages/a%20status=200%0Ab" + "c" * 600 + "?secret=1", method=method, buffered=True)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "xmpp_rest.server" and " from " in record.getMessage()]
    assert line.startswith(f"{method} /api/messages/a%20status=200%0Abcccc")
    assert " from 127.0.0.1: 4" in line
    assert len(line) < 700


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog("all")
    for status in (200, 404, 500, 503):
        log.answered(ANSWER._replace(status=status))
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.INFO, logging.WARNING, logging.WARNING]


@pytest.mark.parametrize("text", ["curl/7", 'a "b"=\n\u2028\udcff', ""])
def test_the_fast_ways_write_the_same(text: str) -> None:
    record = AccessRecord(ANSWER._replace(method=text, path=text, address=text, user_agent=text, account=text or None, request_id=text), 1.7e9 + 0.25)
    slow = FieldsRecord(logging.getLogger("xmpp_rest.access"), logging.INFO, "request", record.fields)
    slow.created, slow.msecs = record.created, record.msecs
    assert TextLines().format(record) == TextLines().format(slow)
    fast, generic = (json.loads(JsonLines().format(each)) for each in (record, slow))
    assert fast == generic
    assert list(fast)[:6] == ["time", "level", "logger", "message", "request_id", "event"]


def test_of_a_stream_the_end_counts(caplog: pytest.LogCaptureFixture) -> None:
    AccessLog("all").answered(ANSWER)
    assert fields(caplog, "request")[0]["seconds"] == 2.0


@pytest.mark.parametrize(("which", "statuses"), [("all", [200, 400, 500]), ("errors", [400, 500]), ("off", [])])
def test_which_answers(gateway: Gateway, caplog: pytest.LogCaptureFixture, which: str, statuses: list[int]) -> None:
    log = gateway.parts.access_log
    log.configure(replace(gateway.settings.server, access_log=which).access_log)
    for status in (200, 400, 500):
        log.answered(ANSWER._replace(status=status))
    assert [line["status"] for line in fields(caplog, "request")] == statuses
