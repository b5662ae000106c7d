"""The form of a line: text, for the journal, and JSON; one record is one line, whatever it says."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.raising import raising
from xmpp_rest.logs.events import say
from xmpp_rest.logs.lines import JournalLines, JsonLines, TextLines, is_journal, lines_for, text_of
from xmpp_rest.request_notes import CURRENT, RequestNotes

TEXT = re.compile(r'(?P<time>\S+) (?P<level>[a-z]+) (?P<logger>\S+) (?P<message>.*?)(?P<pairs>(?: [a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^\s"=]+))*)')
NASTY = '\n2026-11-29T09:54:00.123Z warning xmpp_rest.auth refused account=x\r\x1b[2J\u2028\x85\udcff"="'


class Keeping(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def record(name: str = "xmpp_rest.link", message: str = "m", level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    made = Keeping()
    log = logging.Logger(name, logging.DEBUG)
    log.addHandler(made)
    say(log, level, message, **fields)
    (record,) = made.records
    record.created, record.msecs = 1764410040.1239, 123.9
    return record


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"), ("", '""'), ("two words", '"two words"'), ("a=b", '"a=b"'), ('say "x"', '"say \\"x\\""'), ("a\nb", '"a\\nb"'), ("back\\slash", "back\\slash"),
        ("zoë@example.net", "zoë@example.net"), ("zoë a", '"zoë a"'), ("\u2028", '"\\u2028"'), ("\u202e", '"\\u202e"'), ("\x85", '"\\u0085"'), ("\udcff", '"\\udcff"'),
        (None, "null"), (True, "true"), (7, "7"), (0.00001, "0.000010"), ({"a": 1}, '"{\\"a\\":1}"'), ([1, 2], "[1,2]"),
    ],
)  # fmt: skip
def test_values(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_text() -> None:
    line = TextLines().format(record("xmpp_rest.access", "request", method="POST", status=202, user_agent="a b"))
    assert line == '2025-11-29T09:54:00.123Z info xmpp_rest.access request method=POST status=202 user_agent="a b"'


@pytest.mark.parametrize(("level", "number"), [(50, 2), (40, 3), (30, 4), (20, 6), (10, 7), (25, 5)])
def test_the_journal(level: int, number: int) -> None:
    assert JournalLines().format(record(level=level)).startswith(f"<{number}>")
    assert JournalLines().format(record(level=20, a=1)) == "<6>info xmpp_rest.link m a=1"


def test_json() -> None:
    line = json.loads(JsonLines().format(record("xmpp_rest.access", "request", method="POST", seconds=0.1, account=None, request_id="r")))
    assert line == {
        "time": "2025-11-29T09:54:00.123Z", "level": "info", "logger": "xmpp_rest.access", "message": "request", "request_id": "r", "event": "request",
        "method": "POST", "seconds": 0.1, "account": None,
    }  # fmt: skip
    plain = logging.LogRecord("gunicorn.error", logging.ERROR, "", 0, "%s of %d", ("one", 2), None)
    assert {key: value for key, value in json.loads(JsonLines().format(plain)).items() if key != "time"} == {
        "level": "error", "logger": "xmpp_rest.server", "message": "one of 2",
    }  # fmt: skip


@pytest.mark.parametrize("form", [TextLines(), JournalLines(), JsonLines()])
def test_one_record_is_one_line(form: logging.Formatter) -> None:
    log = logging.LogRecord("xmpp_rest.auth", logging.WARNING, "", 0, "said %s", (NASTY,), None)
    try:
        raising(ValueError(NASTY))()
    except ValueError:
        log.exc_info = sys.exc_info()
    log.stack_info = "Stack:\nhere"
    log.__dict__.update(fields={"account": NASTY})
    line = form.format(log)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    if isinstance(form, JsonLines):
        object_ = json.loads(line)
        assert (object_["account"], object_["message"]) == (NASTY, f"said {NASTY}")
        assert "Traceback" in object_["traceback"]
    else:
        assert line.count(" traceback=\"Traceback (most") == 1


def test_text_can_be_read_again() -> None:
    line = TextLines().format(record("xmpp_rest.access", "request", path="/ =\"", user_agent=NASTY, account="a", request_id="r"))
    match = TEXT.fullmatch(line)
    assert match
    pairs = dict(re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S+)', match["pairs"]))
    assert {key: json.loads(value) if value[0] == '"' else value for key, value in pairs.items()} == {
        "path": "/ =\"", "user_agent": NASTY, "account": "a", "request_id": "r",
    }  # fmt: skip


def test_the_request_at_hand_is_named() -> None:
    token = CURRENT.set(RequestNotes("mine"))
    try:
        assert TextLines().format(record(a=1)).endswith(" m a=1 request_id=mine")
        assert TextLines().format(record(request_id="other")).endswith(" m request_id=other")
        assert json.loads(JsonLines().format(record()))["request_id"] == "mine"
    finally:
        CURRENT.reset(token)
    assert "request_id" not in TextLines().format(record())


def test_which_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(lines_for("json", io.StringIO())) is JsonLines
    assert type(lines_for("text", io.StringIO())) is TextLines
    with open(tmp_path / "log", "w") as stream:
        assert type(lines_for("text", stream)) is TextLines
        there = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        assert is_journal(stream)
        assert type(lines_for("text", stream)) is JournalLines
        monkeypatch.setenv("JOURNAL_STREAM", "nonsense")
        assert not is_journal(stream)
    assert not is_journal(stream)  # closed
