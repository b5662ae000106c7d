"""Requests that wait hold no thread where they run as tasks: for the answer to an iq, for the outcome of a message, for another process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.link.attached import until
from tests.link.fake import attach
from tests.threads.scheduler import OneThread
from xmpp_rest.api.lines import GROUP, NDJSON
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.protocol import codecs, strict_json
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.threads.tasks import Task, current_task
from xmpp_rest.threads.waits import Wait

MANY = 1000
FAR = "romeo@montague.example"


class Asked:
    """Requests, each of them a task; the statuses of their answers as these come."""

    def __init__(self, app: Flask, json: dict[str, Any], **fields: str) -> None:
        self.app = app
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self.tasks: list[Task] = []
        self._json = json
        self._fields = Headers(basic("juliet") | {name.replace("_", "-"): value for name, value in fields.items()})

    def __call__(self, **environ: Any) -> None:
        task = current_task()
        assert task is not None
        self.tasks.append(task)
        body, status, _ = run_wsgi_app(self.app, self.environ() | environ)
        self.bodies.append(b"".join(body))
        self.statuses.append(int(status[:3]))

    def environ(self) -> dict[str, Any]:
        return EnvironBuilder("/rest", method="POST", json=self._json, headers=self._fields).get_environ()


@pytest.fixture
def waiting_app(make_app: MakeApp) -> Flask:
    """An application where many may wait."""
    app = register_users(make_app(rest_iq_waiting=str(2 * MANY), server_waits_per_account="1024"))
    gateway(app).start()
    return app


def gateway(app: Flask) -> Gateway:
    found: Gateway = app.extensions["gateway"]
    return found


def sent_of(app: Flask) -> list[Element]:
    out: list[Element] = []
    attach(gateway(app).parts.router, lambda _, stanza: out.append(stanza))
    return out


def meanwhile(*steps: Callable[[], None]) -> Callable[[], None]:
    """A task that has these done on another thread."""

    def work() -> None:
        for step in steps:
            step()

    return lambda: threading.Thread(target=work, daemon=True).start()


def answer_all(app: Flask, sent: list[Element]) -> None:
    for iq in sent:
        answer = make("iq", from_=iq.get("to"), to_=iq.get("from"), type_="result", id_=iq.get("id"))
        assert gateway(app).parts.router.resolve(answer, parse_jid(FAR), parse_jid(iq.attrib["from"]))


def test_a_thousand_iqs_hold_no_thread(waiting_app: Flask) -> None:
    scheduler, sent, ask = OneThread(), sent_of(waiting_app), Asked(waiting_app, {"ping": True, "to": FAR})
    waits, threads = gateway(waiting_app).parts.waits, list[int]()

    def check() -> None:
        until(lambda: (len(sent), waits.count, scheduler.runner.parked) == (MANY, MANY, MANY))
        threads.append(threading.active_count())
        answer_all(waiting_app, sent)

    before = threading.active_count()
    scheduler.run(*[ask] * MANY, meanwhile(check))
    assert ask.statuses == [200] * MANY
    assert threads[0] <= before + 10
    assert (waits.count, scheduler.asides) == (0, 0)


def test_one_account_has_its_bound_and_all_have_more_than_threads(make_app: MakeApp) -> None:
    app = register_users(make_app(rest_iq_waiting=str(2 * MANY), server_threads="4", server_waits_per_account="20"))
    scheduler, sent, ask = OneThread(), sent_of(app), Asked(app, {"ping": True, "to": FAR})
    waits = gateway(app).parts.waits
    scheduler.run(*[ask] * 25, meanwhile(lambda: until(lambda: waits.count == len(sent) == 20 and len(ask.statuses) == 5), lambda: answer_all(app, sent)))
    assert sorted(ask.statuses) == [200] * 20 + [503] * 5


def test_the_time_of_a_wait(waiting_app: Flask) -> None:
    scheduler, ask = OneThread(), Asked(waiting_app, {"ping": True, "to": FAR}, Prosody_Rest_Timeout="1")
    sent_of(waiting_app)
    scheduler.run(*[ask] * 100)
    assert set(ask.statuses) == {500}
    assert all(b"remote-server-timeout" in body for body in ask.bodies)
    assert gateway(waiting_app).parts.waits.count == 0


def test_a_client_that_has_gone_is_noticed_when_the_server_wakes_its_task(waiting_app: Flask) -> None:
    scheduler, ask = OneThread(), Asked(waiting_app, {"ping": True, "to": FAR})
    sent, waits, pending = sent_of(waiting_app), gateway(waiting_app).parts.waits, gateway(waiting_app).parts.router._pending
    ours, theirs = socket.socketpair()
    still, stays = socket.socketpair()

    def leave() -> None:
        until(lambda: waits.count == scheduler.runner.parked == 2)
        theirs.close()
        for task in tuple(ask.tasks):
            task.wake()

    def answer() -> None:
        until(lambda: len(ask.statuses) == 1)
        answer_all(waiting_app, [iq for iq in sent if (iq.get("id", ""), parse_jid(FAR), parse_jid(iq.attrib["from"])) in pending._waiting])

    with closing(ours), closing(still), closing(stays):
        scheduler.run(partial(ask, **{"gunicorn.socket": ours}), partial(ask, **{"gunicorn.socket": still}), meanwhile(leave, answer))
    assert len(ask.statuses) == 2
    assert ask.statuses.count(200) == 1
    assert (waits.count, len(pending._waiting)) == (0, 0)


def test_outcomes_that_are_waited_for(waiting_app: Flask) -> None:
    scheduler, sent, ask = OneThread(), sent_of(waiting_app), Asked(waiting_app, {"body": "hi", "to": FAR}, Prefer="wait=60")
    outcomes, waits = gateway(waiting_app).parts.sending._outcomes, gateway(waiting_app).parts.waits

    def decide() -> None:
        until(lambda: waits.count == scheduler.runner.parked == len(sent) == MANY)
        for stanza in sent:
            outcomes.processed(parse_jid(stanza.attrib["from"]), stanza.attrib["id"])

    scheduler.run(*[ask] * MANY, meanwhile(decide))
    assert ask.statuses == [202] * MANY
    assert scheduler.asides == 0


def test_a_round_is_one_call_to_the_leader(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    call = LocalGroup.call

    def counted(group: LocalGroup, name: str, *rest: Any) -> Any:
        calls.append(name)
        return call(group, name, *rest)

    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    register_users(apps[0])
    for app in apps:
        gateway(app).start()
    sent, scheduler, ask = sent_of(apps[0]), OneThread(), Asked(apps[1], {"body": "hi", "to": FAR})
    sent_of(apps[1])
    scheduler.run(ask)  # accounts are remembered from now on
    monkeypatch.setattr(LocalGroup, "call", counted)
    before = threading.active_count()
    scheduler.run(*[ask] * 60)
    assert ask.statuses == [202] * 61
    assert len(sent) == 61
    assert calls == ["Sending.send_batch"]
    assert threading.active_count() - before < 10
    assert scheduler.asides == 0


@pytest.mark.parametrize("path", ["/rest", "/api"])
def test_a_batch_is_read_while_the_leader_sends(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The calls of a follower are in the order of the lines, one after the other."""
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    register_users(apps[0])
    for app in apps:
        gateway(app).start()
    sent, steps = sent_of(apps[0]), []
    sent_of(apps[1])
    begin, read_json = LocalGroup.begin, strict_json.read_json

    def begun(group: LocalGroup, name: str, arguments: Any) -> Callable[[Wait], Any]:
        finish = begin(group, name, arguments)
        if "stanzas" not in arguments:  # the metrics report meanwhile
            return finish
        steps.append(f"begin {len(arguments['stanzas'])}")

        def finished(wait: Wait) -> Any:
            steps.append("wait")
            return finish(wait)

        return finished

    def read(body: bytes) -> Any:
        if steps[-1:] != ["read"]:
            steps.append("read")
        return read_json(body)

    def post() -> None:
        environ = EnvironBuilder(path, method="POST", data=b"\n".join(lines), headers=headers).get_environ()
        answers.extend(b"".join(run_wsgi_app(apps[1], environ)[0]).splitlines())

    message = {"to": FAR, "type": "chat", "from": f"admin@{DOMAIN}", "subject": ""}
    messages = [message | {"body": str(n)} for n in range(2 * GROUP + 70)]
    lines = [json.dumps(m if path == "/rest" else {"command": "send_message", "arguments": m}).encode() for m in messages]
    answers: list[bytes] = []
    headers = Headers(basic(f"admin@{DOMAIN}") | {"Content-Type": NDJSON})
    monkeypatch.setattr(LocalGroup, "begin", begun)
    monkeypatch.setattr(strict_json, "read_json", read)
    monkeypatch.setattr(codecs, "read_json", read)
    OneThread().run(post)
    assert steps == ["read", f"begin {GROUP}", "read", "wait", f"begin {GROUP}", "read", "wait", "begin 70", "wait"]
    assert [stanza.findtext("body") for stanza in sent] == [m["body"] for m in messages]
    assert [json.loads(answer)["line"] for answer in answers] == [n + 1 for n in range(len(messages))]
    assert not any(b'"error"' in answer for answer in answers)


def test_iqs_of_a_follower(make_app: MakeApp, tmp_path: Path) -> None:
    apps = [make_app(server_data_dir=str(tmp_path / "shared"), rest_iq_waiting=str(2 * MANY), server_waits_per_account="1024") for _ in range(2)]
    register_users(apps[0])
    for app in apps:
        gateway(app).start()
    sent, scheduler, ask = sent_of(apps[0]), OneThread(), Asked(apps[1], {"ping": True, "to": FAR})
    sent_of(apps[1])
    scheduler.run(*[ask] * 200, meanwhile(lambda: until(lambda: len(sent) == 200), lambda: answer_all(apps[0], sent)))
    assert ask.statuses == [200] * 200
    assert scheduler.asides == 0


def test_the_component_token(waiting_app: Flask) -> None:
    """Iqs of the gateway itself are held to the same bound."""
    scheduler, sent, ask = OneThread(), sent_of(waiting_app), Asked(waiting_app, {"ping": True, "to": FAR, "from": DOMAIN}, Authorization=TOKEN)
    scheduler.run(*[ask] * 10, meanwhile(lambda: until(lambda: len(sent) == 10), lambda: answer_all(waiting_app, sent)))
    assert ask.statuses == [200] * 10
