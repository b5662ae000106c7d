"""Every stanza for a callback is answered, comes again, or is a dead letter, whatever is raised on the way and whatever the URL answers."""

from __future__ import annotations

import errno
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from drivers import StorageError
from tests.botapp import BOT, BotApp, MakeBot, eventually
from tests.conftest import basic
from tests.link.fake import attach
from tests.link.late import LateJournals
from tests.webservice import Answer, Service
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.journal import Journal, read_entries
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.callbacks import reply as callback_reply
from xmpp_rest.service.callbacks.delivery import DeliveryJournal
from xmpp_rest.service.callbacks.http_client import CallbackClient

ROMEO = "romeo@montague.example/orchard"
PING = "<ping xmlns='urn:xmpp:ping'/>"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def waiting(app: BotApp) -> int:
    return app.gateway.parts.callbacks.queues["bot"].pool.waiting


def dead(app: BotApp) -> list[dict[str, Any]]:
    answer = app.client.get("/rest/callbacks/bot/dead", headers=basic("admin")).json
    assert answer is not None
    writes: list[dict[str, Any]] = answer["dead"]
    return writes


def message(body: str, extra: str = "", kind: str = "chat") -> str:
    return f"<message from='{ROMEO}' to='{BOT}' type='{kind}' id='{body}' {extra}><body>{body}</body></message>"


def iq(identifier: str, extra: str = "") -> str:
    return f"<iq type='get' from='{ROMEO}' to='{BOT}' id='{identifier}' {extra}>{PING}</iq>"


# what a stanza may bring


@pytest.mark.parametrize(
    ("language", "sent"),
    [
        ("de", "de"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("x-private", "x-private"),
        ("i-klingon", "i-klingon"),
        *((language, None) for language in ["日本", "€", "de&#10;X-Evil: 1", "de&#13;&#10;", "de, en", "de_DE", "-", "a" * 36]),
        ("de-" + "abcdefgh-" * 4, None),
        ("ſe", None),
    ],
)
@pytest.mark.parametrize("form", ["xml", "json"])
def test_only_a_language_tag_becomes_a_field(make_bot: MakeBot, service: Service, language: str, sent: str | None, form: str) -> None:
    service.answers["/"] = Answer(200, "aye", "text/plain")
    app = make_bot(service.url("/"), content_type=form)
    app.come(message("one", f"xml:lang='{language}'"))
    app.come(iq("two", f"xml:lang='{language}'"))
    assert [service.wait(lambda _: True).headers.get("content-language") for _ in range(2)] == [sent, sent]
    reply, result = eventually(lambda: app.outside if len(app.outside) == 2 else None)
    assert (reply.findtext("body"), result.get("type"), result.get("id")) == ("aye", "result", "two")
    assert (waiting(app), dead(app)) == (0, [])


# what may be raised


class Broken(Exception):
    """Nobody foresaw this one."""


def always(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [Broken("x"), ValueError("x"), UnicodeEncodeError("latin-1", "€", 0, 1, "x"), RecursionError(), MemoryError(), KeyError("x")]
)
def test_an_exception_in_a_job(
    make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_bot(service.url("/"), retries="3", retry_max="0.1")
    with monkeypatch.context() as patch:
        patch.setattr(CallbackClient, "post", always(error))
        app.come(message("m"))
        app.come(iq("i"))
        app.come(message("e", kind="error"))
        app.come(message("g", kind="groupchat"))
        writes = eventually(lambda: dead(app) if len(dead(app)) == 3 else None)
        told = eventually(lambda: app.outside if len(app.outside) == 2 else None)
    assert [(s.get("id"), s.get("type"), *condition_of(s)[:2]) for s in told] == [
        ("m", "error", "wait", "internal-server-error"),
        ("i", "error", "wait", "internal-server-error"),
    ]
    assert [letter["stanza"]["body"] for letter in writes] == ["m", "e", "g"]
    assert {letter["reason"] for letter in writes} == {f"internal error: {type(error).__name__}"}
    eventually(lambda: waiting(app) == 0)
    assert app.gateway.incidents.counts()["callback-job"] == 4
    assert caplog.text.count("was not delivered") == 1, "once a minute"
    app.gateway.stop()
    second = make_bot(service.url("/"), like=app)
    assert waiting(second) == 0, "nothing is left that fails at the next start"


@pytest.mark.parametrize("error", [Broken("x"), StorageError("full"), GatewayError("stanza-too-big"), GatewayError("link-down")])
def test_a_reply_that_cannot_be_sent(make_bot: MakeBot, service: Service, error: Exception) -> None:
    """An iq is answered by an error in its place, a message's reply comes later."""
    service.answers["/"] = Answer(200, '{"body":"Ay"}', "application/json")
    app = make_bot(service.url("/"), retry_max="0.2")
    left: list[Element] = []
    fail = iter([error])

    def send(_: str, stanza: Element) -> None:
        if (e := next(fail, None)) is not None:
            raise e
        left.append(stanza)

    attach(app.gateway.parts.router, send)
    app.come(message("m"))
    (reply,) = eventually(lambda: left)
    later = isinstance(error, StorageError) or getattr(error, "name", "") == "link-down"
    assert (reply.get("type"), reply.findtext("body")) == (None if later else "error", "Ay" if later else None)
    eventually(lambda: waiting(app) == 0)
    fail = iter([error])
    app.come(iq("i"))
    answer = eventually(lambda: left[1:])[0]
    assert (answer.get("id"), answer.get("type")) == ("i", "error")
    assert len([r for r in service.drain() if r.method == "POST"]) == 2, "no reply is asked for twice"


def test_an_unwritable_stanza_of_which_nobody_is_to_be_told(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"), content_type="json")
    container = "<json xmlns='urn:xmpp:json:0'>{</json>"
    payload = f"<payload xmlns='urn:xmpp:json-msg:0' datatype='x'>{container}</payload>"
    for kind in ("groupchat", "chat"):
        app.come(f"<message from='{ROMEO}' to='{BOT}' type='{kind}' id='{kind}'>{payload}</message>")
    (told,) = eventually(lambda: app.outside)
    assert (told.get("id"), condition_of(told).condition) == ("chat", "bad-request")
    eventually(lambda: [letter["xml"].partition("id='")[2].partition("'")[0] for letter in dead(app)] == ["groupchat"])
    assert waiting(app) == 0


def test_a_stanza_that_cannot_be_written_down(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It alone is refused; those that came with it are delivered, and no place stays taken."""
    app = make_bot(service.url("/"), queue_size="3")
    real = Journal.append

    def append(self: Journal, texts: list[str]) -> list[int]:
        if any("poison" in text for text in texts):
            raise Broken("x")
        return real(self, texts)

    monkeypatch.setattr(Journal, "append", append)
    for _ in range(3):
        for body in ("one", "poison", "two"):
            app.come(message(body))
        assert {json.loads(service.wait(lambda _: True).body)["body"] for _ in range(2)} == {"one", "two"}
        eventually(lambda: waiting(app) == 0)
    eventually(lambda: [(s.get("id"), s.get("type")) for s in app.outside] == [("poison", "error")] * 3)
    assert app.post(body="poison").json["error"]["condition"] == "internal-server-error"  # type: ignore[index]
    assert waiting(app) == 0


def test_a_dead_letter_that_cannot_be_kept_comes_again(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its sender is not to be told, it would be lost otherwise."""
    app = make_bot(service.url("/"), retry_max="0.2")
    service.answers["/"] = Answer(503)
    with monkeypatch.context() as patch:
        patch.setattr(app.gateway.driver, "archive_append", always(StorageError("full")))
        app.come(message("e", kind="error"))
        service.wait_body("e")
        service.wait_body("e")
    eventually(lambda: len(dead(app)) == 1)
    eventually(lambda: waiting(app) == 0)


def test_what_an_older_version_left(make_bot: MakeBot, service: Service) -> None:
    first = make_bot(service.url("/"))
    first.gateway.stop()
    journal = Journal(first.gateway.data_dir / "callbacks" / "bot.journal")
    stanza = f"<message from='{ROMEO}' to='{BOT}' xml:lang='日本'><body>%s</body></message>"
    lines = [["msg_1", 1.0, False, stanza % "first"], ["msg\n2", 1.0, False, stanza % "bad id"], [3, 1.0, False, stanza % "no id"]]
    lines += [["msg_4", None, False, stanza % "no time"], ["msg_5", 1.0, False, 7], ["msg_6", 1.0, False, stanza % "last"]]
    journal.append([json.dumps(line) for line in lines] + ["[" * 100_000, "7", "{}"])
    journal.close()
    service.drain()
    second = make_bot(service.url("/"), like=first)
    assert service.wait_body("first").headers["webhook-id"] == "msg_1"
    assert service.wait_body("last").headers["webhook-id"] == "msg_6"
    eventually(lambda: waiting(second) == 0)
    second.gateway.stop()
    assert not Journal(first.gateway.data_dir / "callbacks" / "bot.journal").unacknowledged()


def test_what_turns_out_to_be_kept_is_delivered(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    journals = LateJournals(monkeypatch)
    app = make_bot(service.url("/"))
    stanza = f"<message from='{ROMEO}' to='{BOT}'><body>late</body></message>"
    journals.tell("bot", ["{}", json.dumps(["msg_1", 1.0, False, stanza, ""])])
    assert service.wait_body("late").headers["webhook-id"] == "msg_1"
    eventually(lambda: waiting(app) == 0)
    eventually(lambda: not read_entries(app.gateway.data_dir / "callbacks" / "bot.journal"))


def test_what_is_answered_is_on_disk_soon(make_bot: MakeBot, service: Service) -> None:
    """Without a further stanza: a crash does not have the bot answer twice."""
    app = make_bot(service.url("/"))
    service.answers["/"] = Answer(200, '{"body":"Ay"}', "application/json")
    assert app.post(body="Good morrow", id="m1").status_code == 202
    eventually(lambda: app.bodies().count("Ay") == 1)
    path = app.gateway.data_dir / "callbacks" / "bot.journal"
    eventually(lambda: not read_entries(path))
    assert app.post(body="Good night", id="m2").status_code == 202  # the thread goes on
    eventually(lambda: app.bodies().count("Ay") == 2 and not read_entries(path))


def test_what_is_answered_cannot_be_written_down(
    make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: DeliveryJournal) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DeliveryJournal, "settle", refuse)
    app = make_bot(service.url("/"))
    assert app.post(body="Good morrow", id="m1").status_code == 202
    eventually(lambda: "what was answered is not on disk" in caplog.text)
    monkeypatch.undo()
    assert app.post(body="Good night", id="m2").status_code == 202  # the thread goes on
    eventually(lambda: not read_entries(app.gateway.data_dir / "callbacks" / "bot.journal"))


# what the URL may answer


class Raw:
    """A server that says these bytes to every POST, and then closes."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                head = connection.recv(65536)
                connection.sendall(b"HTTP/1.1 204 X\r\n\r\n" if head.startswith(b"OPTIONS") else self.answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.thread.join(30)


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw()
    server.thread.start()
    yield server
    server.close()


def said(status: str, fields: str = "", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode("latin-1") + body


JSON = "Content-Type: application/json\r\n"
XML = "Content-Type: application/xmpp+xml\r\n"
PLAIN = "Content-Type: text/plain\r\n"
DEEP = b"[" * 100_000
BROKEN = [
    *(b"", b"\x00" * 100, b"garbage\r\n\r\n", b"HTTP/1.1 20x OK\r\n\r\n"),
    b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nxxxxx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://\xff\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    said("999 \xff"),
    said("1000 X"),
    said("200 OK", JSON, b'{"body":"\xff"}'),
    said("200 OK", JSON, b'{"body":"\\ud800"}'),
    said("200 OK", JSON, DEEP),
    said("200 OK", JSON, b'{"a":' * 50_000),
    said("200 OK", JSON, b"[]"),
    said("200 OK", JSON, b'{"body":"x","type":"\\u0000"}'),
    said("200 OK", JSON, b'{"body":"x","id":7}'),
    said("200 OK", XML, b"<a>" * 100_000),
    said("200 OK", XML, b"<message><body>&#0;</body></message>"),
    said("200 OK", XML, "<?xml version='1.0' encoding='utf-16'?><message/>".encode("utf-16")),
    said("200 OK", "Content-Type: application/cbor\r\n", b"\xd8\x23\x61("),
    said("200 OK", "Content-Type: application/x-www-form-urlencoded\r\n", b"body=%ff"),
    said("200 OK", PLAIN + "Content-Language: \x01\r\n", b"aye"),
    said("200 OK", PLAIN + "Content-Language: d\xe9\r\n", b"aye"),
    said("200 OK", PLAIN + "Content-Encoding: br\r\n", b"aye"),
    said("200 OK", PLAIN + "Content-Encoding: gzip\r\n", b"aye"),
    said("200 OK", PLAIN + "Content-Encoding: gzip\r\n", gzip.compress(b"a" * (1 << 26), mtime=0)),
    said("200 OK", PLAIN + "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip\r\n", b"aye"),
    said("200 OK", PLAIN, b"a" * ((1 << 20) + 1)),
    said("503 No", "Retry-After: Fri, 31 Dec 9999 23:59:59 -2359\r\n"),
    said("503 No", "Retry-After: " + "9" * 5000 + "\r\n"),
    said("503 No", "Retry-After: \xff\r\n"),
    said("429 No", "Retry-After: -1\r\n"),
]


@pytest.mark.parametrize("answer", BROKEN, ids=range(len(BROKEN)))
def test_whatever_the_url_answers(make_bot: MakeBot, raw: Raw, answer: bytes) -> None:
    """A message and an iq have their answer, nothing waits, and the link is sent nothing that is not a stanza."""
    raw.answer = answer
    app = make_bot(raw.url, timeout="2")
    app.come(message("m"))
    app.come(iq("i"))
    told = eventually(lambda: app.outside if len(app.outside) == 2 else None)
    assert [s.get("to") for s in told] == [ROMEO, ROMEO]
    assert (told[1].get("id"), told[1].get("type") in ("result", "error")) == ("i", True)
    assert told[0].get(LANG, "").isascii()
    eventually(lambda: waiting(app) == 0)
    assert "callback-job" not in app.gateway.incidents.counts(), "each of these is foreseen"


@pytest.mark.parametrize(
    ("coding", "body"), [("gzip", gzip.compress(b"aye", mtime=0)), ("deflate", zlib.compress(b"aye")), ("identity", b"aye")]
)
def test_an_answer_may_be_compressed(make_bot: MakeBot, raw: Raw, coding: str, body: bytes) -> None:
    raw.answer = said("200 OK", f"{PLAIN}Content-Encoding: {coding}\r\n", body)
    app = make_bot(raw.url)
    app.come(message("m"))
    (reply,) = eventually(lambda: app.outside)
    assert reply.findtext("body") == "aye"


def test_a_password_beyond_latin_1(make_bot: MakeBot, service: Service) -> None:
    make_bot(service.url("/").replace("http://", "http://rom%C3%A9o:%E2%82%AC@")).post(body="x")
    assert service.wait(lambda _: True).headers["authorization"] == basic("roméo", "€")["Authorization"]


def test_a_strange_date_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ValueError, TypeError, IndexError, OverflowError):
        monkeypatch.setattr(callback_reply, "parsedate_to_datetime", always(error("x")))
        assert callback_reply.retry_after("x") == 0.0


CONTAINERS = [
    '"\\ud800"',
    '"\\u0000"',
    "[" * 500 + "]" * 500,
    "[" * 950 + "]" * 950,
    "[" * 20_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "1" * 5000,
    "1e999",
    "NaN",
    "",
    "{",
]


@pytest.mark.parametrize("form", ["xml", "json", "cbor", "form"])
def test_a_json_container_of_a_stranger(make_bot: MakeBot, service: Service, form: str) -> None:
    """Whatever it holds, the iq is answered, by the URL or with bad-request."""
    app = make_bot(service.url("/"), content_type=form)
    for n, data in enumerate(CONTAINERS):
        payload = f"<payload xmlns='urn:xmpp:json-msg:0' datatype='x'>{data}</payload>"
        app.come(f"<iq type='set' from='{ROMEO}' to='{BOT}' id='{n}'>{payload}</iq>")
    told = eventually(lambda: app.outside if len(app.outside) == len(CONTAINERS) else None)
    assert {condition_of(s).condition for s in told if s.get("type") == "error"} <= {"bad-request"}
    assert [s.get("id") for s in told] == [str(n) for n in range(len(CONTAINERS))]
    assert "callback-job" not in app.gateway.incidents.counts()


# rooms


def test_a_room_hears_no_errors_of_a_bot(make_bot: MakeBot, service: Service) -> None:
    """It would remove the bot. Others hear them."""
    service.answers["/"] = Answer(418, "", "text/plain")
    app = make_bot(service.url("/"))
    join = f"<presence from='{BOT}/x' to='hall@rooms.example/Bot'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    app.gateway.parts.router.send(parse_text(join))
    app.come(message("psst").replace(ROMEO, "hall@rooms.example/Romeo"))
    app.come(message("hello"))
    eventually(lambda: len(app.outside) > 1 and not waiting(app))
    assert [(s.tag, s.get("to"), s.get("type")) for s in app.outside] == [
        ("presence", "hall@rooms.example/Bot", None),
        ("message", ROMEO, "error"),
    ]
