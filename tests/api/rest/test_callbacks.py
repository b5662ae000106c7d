"""Administrators see the state of callbacks, read dead letters, and replay them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers import StorageError
from tests.botapp import BOT, BotApp, MakeBot, eventually
from tests.conftest import DOMAIN, TOKEN, basic
from tests.raising import raising
from tests.webservice import Answer, Service

ADMIN = basic("admin")
DEAD = "/rest/callbacks/bot/dead"
REPLAY = "/rest/callbacks/bot/replay"


def get(app: BotApp, path: str = DEAD, **query: str) -> dict[str, Any]:
    response = app.client.get(path, headers=ADMIN, query_string=query)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    body: dict[str, Any] = response.get_json()
    return body


@pytest.fixture
def dead(make_bot: MakeBot, service: Service) -> BotApp:
    """An application with three dead letters; the service answers again."""
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"))
    for n in range(3):
        app.post(body=f"{n}", id=f"m{n}", type="chat")
    eventually(lambda: get(app)["count"] == 3)
    service.drain()
    service.answers["/"] = Answer(204)
    return app


@pytest.mark.parametrize(("method", "path"), [("GET", "/rest/callbacks"), ("GET", DEAD), ("POST", REPLAY)])
@pytest.mark.parametrize(
    ("headers", "status"), [(basic("juliet"), 403), ({"Authorization": TOKEN}, 403), (basic("admin", "x"), 403), ({}, 401)]
)
def test_administrators_only(make_bot: MakeBot, service: Service, method: str, path: str, headers: dict[str, str], status: int) -> None:
    assert make_bot(service.url("/")).client.open(path, method=method, headers=headers).status_code == status


def test_who_is_no_administrator_is_told_so(make_bot: MakeBot, service: Service) -> None:
    error = make_bot(service.url("/")).client.get("/rest/callbacks", headers=basic("juliet")).get_json()["error"]
    assert (error["condition"], error["text"]) == ("forbidden", "Only administrators may do this")


def test_options_needs_no_credentials(make_bot: MakeBot, service: Service) -> None:
    assert make_bot(service.url("/")).client.options("/rest/callbacks").status_code == 200


def test_the_list(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/secret"), kinds="message", keep="memory", content_type="form")
    eventually(service.drain)
    assert get(app, "/rest/callbacks") == {
        "callbacks": [
            {
                "name": "bot", "address": [BOT], "kinds": ["message"], "events": ["bare", "full", "host"], "keep": "memory",
                "content_type": "application/x-www-form-urlencoded", "waiting": 0, "retrying": 0, "dropped": 0, "dead": 0,
            }
        ]
    }  # fmt: skip


def test_what_waits_is_counted(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"), retries="9", retry_max="60", concurrency="1")
    app.post(body="1")
    app.post(body="2")
    service.wait(lambda _: True)
    (bot,) = eventually(lambda: [c for c in get(app, "/rest/callbacks")["callbacks"] if c["retrying"]])
    assert (bot["waiting"], bot["retrying"]) == (2, 1)


def test_pages(dead: BotApp) -> None:
    first = get(dead, max="2")
    assert (first["callback"], first["count"], [d["stanza"]["id"] for d in first["dead"]]) == ("bot", 3, ["m0", "m1"])
    rest = get(dead, after=first["dead"][-1]["id"])
    assert [d["stanza"]["id"] for d in rest["dead"]] == ["m2"]


@pytest.mark.parametrize("value", ["0", "1001", "x", "-1", "", "99999999999999"])
def test_a_bad_page_size(dead: BotApp, value: str) -> None:
    assert dead.client.get(DEAD, headers=ADMIN, query_string={"max": value}).status_code == 400


@pytest.mark.parametrize("path", [f"{DEAD}?after=nobody", "/rest/callbacks/none/dead"])
def test_what_is_not_there(dead: BotApp, path: str) -> None:
    response = dead.client.get(path, headers=ADMIN)
    assert response.status_code == 404
    assert response.get_json()["code"] == 404


def test_no_post_to_a_callback_that_is_not_there(dead: BotApp) -> None:
    assert dead.client.post("/rest/callbacks/none/replay", headers=ADMIN).status_code == 404


@pytest.mark.parametrize("body", [None, {}, {"ids": None}])
def test_replay_all(dead: BotApp, service: Service, body: Any) -> None:
    ids = [d["id"] for d in get(dead)["dead"]]
    given = {} if body is None else {"json": body}
    response = dead.client.post(REPLAY, headers=ADMIN, **given)
    assert (response.status_code, response.get_json()) == (200, {"callback": "bot", "replayed": ids, "left": 0})
    again = [service.wait(lambda _: True) for _ in range(3)]
    assert [r.headers["webhook-id"] for r in again] == ids
    eventually(lambda: get(dead, "/rest/callbacks")["callbacks"][0]["waiting"] == 0)
    assert get(dead)["count"] == 0


def test_replay_some(dead: BotApp, service: Service) -> None:
    ids = [d["id"] for d in get(dead)["dead"]]
    response = dead.client.post(REPLAY, headers=ADMIN, json={"ids": [ids[1], "nobody"]})
    assert response.get_json() == {"callback": "bot", "replayed": [ids[1]], "left": 2}
    service.wait_body('"m1"')
    assert [d["id"] for d in get(dead)["dead"]] == [ids[0], ids[2]]


def test_what_fails_again_is_dead_again_and_its_sender_hears_nothing(dead: BotApp, service: Service) -> None:
    dead.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='r'><body>x</body></message>")
    service.wait_body('"x"')
    service.answers["/"] = Answer(503)
    dead.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='r'><body>x</body></message>")
    eventually(lambda: len(dead.outside) == 1)
    letter = eventually(lambda: get(dead)["dead"][3:])[0]
    dead.client.post(REPLAY, headers=ADMIN, json={"ids": [letter["id"]]})
    again = eventually(lambda: [d for d in get(dead)["dead"] if d["id"] == letter["id"] and d["given_up"] > letter["given_up"]])
    assert again[0]["since"] == letter["since"]
    assert len(dead.outside) == 1


def test_the_answer_to_a_replay_goes_to_the_sender(dead: BotApp, service: Service) -> None:
    service.answers["/"] = Answer(200, '{"body":"sorry, I slept"}', "application/json")
    before = len(dead.bodies())
    dead.client.post(REPLAY, headers=ADMIN)
    eventually(lambda: dead.bodies()[before:] == ["sorry, I slept"] * 3)


def test_a_full_queue(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"), queue_size="1", concurrency="1")

    def counted(number: int) -> Callable[[], bool]:
        return lambda: bool(get(app)["count"] == number)

    for n in range(2):
        app.post(body=f"{n}")
        eventually(counted(n + 1))
    service.answers["/"] = Answer(204, delay=1)
    app.post(body="slow")
    service.wait_body('"slow"')
    part = app.client.post(REPLAY, headers=ADMIN).get_json()
    assert (len(part["replayed"]), part["left"]) == (1, 1)
    none = app.client.post(REPLAY, headers=ADMIN)
    assert (none.status_code, none.get_json()["error"]["condition"]) == (503, "resource-constraint")
    assert "Retry-After" in none.headers


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        *((body, "application/json", 400) for body in ['{"ids":[]}', '{"ids":[1]}', '{"ids":"msg"}', '{"id":["msg"]}', "[]"]),
        ("{", "application/json", 400),
        ("x", "text/plain", 415),
        ("x", "", 415),
    ],
)
def test_bad_bodies(dead: BotApp, body: str, kind: str, status: int) -> None:
    response = dead.client.post(REPLAY, data=body, headers=ADMIN | ({"Content-Type": kind} if kind else {}))
    assert response.status_code == status
    assert get(dead)["count"] == 3


@pytest.mark.parametrize(("method", "path"), [("POST", "/rest/callbacks"), ("DELETE", DEAD), ("GET", REPLAY)])
def test_other_methods(dead: BotApp, method: str, path: str) -> None:
    assert dead.client.open(path, method=method, headers=ADMIN).status_code == 405


def test_a_storage_that_fails(dead: BotApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead.gateway.driver, "archive_find", raising(StorageError("the disk is gone")))
    for response in (dead.client.get(DEAD, headers=ADMIN), dead.client.post(REPLAY, headers=ADMIN)):
        assert (response.status_code, response.get_json()["error"]["text"]) == (503, "The storage failed: the disk is gone")


def test_the_domain_is_the_same(dead: BotApp) -> None:
    assert all(d["to"] == f"bot@{DOMAIN}" for d in get(dead)["dead"])
