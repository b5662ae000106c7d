"""`Send-At` and `Delay`, and `/rest/scheduled` (hooks §17)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.link.fake import attach
from xmpp_rest.gateway.gateway import Gateway

COMPONENT = {"Authorization": TOKEN}
MESSAGE = {"to": f"nurse@{DOMAIN}", "type": "chat", "body": "Wake me"}
FORMS = ["2h", (datetime.now(UTC) + timedelta(days=1)).isoformat(), str(int(time.time()) + 3600), "2 days"]


def post(client: FlaskClient, json: Any = MESSAGE, who: str = "juliet", path: str = "/rest", **fields: str) -> TestResponse:
    return client.post(path, json=json, headers=basic(who) | {name.replace("_", "-"): value for name, value in fields.items()})


def listed(client: FlaskClient, who: str = "juliet", query: str = "") -> Any:
    response = client.get(f"/rest/scheduled{query}", headers=basic(who))
    assert response.status_code == 200
    return response.json


@pytest.mark.parametrize("field", ["Send-At", "Delay"])
@pytest.mark.parametrize("text", FORMS, ids=["duration", "ISO 8601", "Unix time", "days"])
def test_a_time_makes_it_wait(field: str, text: str, client: FlaskClient) -> None:
    answer = post(client, **{field: text, "Accept": "application/xmpp+xml"})
    assert (answer.status_code, answer.mimetype) == (202, "application/json")
    assert answer.json is not None
    assert answer.headers["Location"] == f"/rest/scheduled/{answer.json['id']}"
    assert answer.headers["Stanza-Id"] == answer.json["stanza_id"]
    assert answer.json["id"].startswith("sch_")
    assert datetime.fromisoformat(answer.json["at"]) > datetime.now(UTC)
    (one,) = listed(client)["scheduled"]
    assert one == {"id": answer.json["id"], "at": answer.json["at"], "made": one["made"], "to": [MESSAGE["to"]], "hook": None, "body": "Wake me"}
    whole = client.get(answer.headers["Location"], headers=basic("juliet") | {"Accept": "application/xmpp+xml"}).json
    assert whole is not None
    assert whole.pop("stanza") == {"kind": "message", "from": f"juliet@{DOMAIN}", "id": answer.json["stanza_id"], **MESSAGE}
    assert whole == one


def test_in_the_path_and_both_fields(client: FlaskClient) -> None:
    answer = post(client, {"body": "x"}, path=f"/rest/message/chat/nurse@{DOMAIN}", Send_At="3h", Delay="1h")
    assert answer.status_code == 202
    (one,) = listed(client)["scheduled"]
    assert timedelta(hours=2) < datetime.fromisoformat(one["at"]) - datetime.now(UTC) <= timedelta(hours=3)
    assert post(client, Send_At="", Delay="").status_code == 202
    assert listed(client)["count"] == 1


def test_the_outcome_is_scheduled_until_then(client: FlaskClient, gateway: Gateway) -> None:
    gateway.start()
    identifier = post(client, Delay="1s").headers["Stanza-Id"]
    states: list[str] = []
    end = time.monotonic() + 20
    while not states or states[-1] == "scheduled":
        assert time.monotonic() < end
        outcome = client.get(f"/rest/outcome/{identifier}", headers=basic("juliet"))
        if outcome.status_code == 200:  # not between the moment that it is taken from the storage and its outcome
            states.append(outcome.json["state"])  # type: ignore[index]  # an object
    assert (states[0], states[-1]) in (("scheduled", "accepted"), ("scheduled", "confirmed"))
    while listed(client)["count"]:
        assert time.monotonic() < end


def test_a_little_late_is_at_once_and_too_late_is_refused(client: FlaskClient) -> None:
    now = int(time.time())
    answer = post(client, Send_At=str(now - 30))
    assert (answer.status_code, answer.data) == (202, b"")
    for wrong in (str(now - 3600), "soon", "31d", "2026-02-30T10:00:00Z"):
        refused = post(client, Send_At=wrong)
        assert refused.status_code == 400
        assert refused.json is not None
        assert refused.json["error"]["condition"] == "bad-request"
    assert listed(client)["count"] == 0


@pytest.mark.parametrize("stanza", [{"kind": "presence", "show": "away", "to": "a@b"}, {"kind": "iq", "type": "get", "to": "a@b", "ping": True}])
def test_only_messages(stanza: Any, client: FlaskClient) -> None:
    assert post(client, stanza, Send_At="1h").status_code == 422


def test_no_batch(client: FlaskClient) -> None:
    fields = basic("juliet") | {"Content-Type": "application/x-ndjson", "Delay": "1h"}
    assert client.post("/rest", data='{"to":"a@b","body":"x"}\n', headers=fields).status_code == 400


@pytest.mark.parametrize("to", ["@", "nurse"])
def test_what_could_not_be_sent_is_refused_now(to: str, client: FlaskClient) -> None:
    assert post(client, {"to": to, "body": "x"}, Delay="1h").status_code == 422


def test_the_quota(make_app: MakeApp) -> None:
    client = register_users(make_app(limits_scheduled="2")).test_client()
    assert [post(client, Delay="1h").status_code for _ in range(3)] == [202, 202, 403]
    refused = post(client, Delay="1h")
    assert refused.json is not None
    assert refused.json["error"]["condition"] == "resource-constraint"
    assert post(client, who="nurse", Delay="1h").status_code == 202


def test_pages(client: FlaskClient) -> None:
    ids = [post(client, Delay=f"{hours}h").json["id"] for hours in (3, 1, 2)]  # type: ignore[index]
    ordered = [ids[1], ids[2], ids[0]]
    page = listed(client, query="?max=2")
    assert (page["count"], [m["id"] for m in page["scheduled"]]) == (3, ordered[:2])
    assert [m["id"] for m in listed(client, query=f"?after={ordered[1]}")["scheduled"]] == ordered[2:]
    assert client.get("/rest/scheduled?after=sch_x", headers=basic("juliet")).status_code == 404
    for wrong in ("0", "1001", "-1", "x", "9" * 5000):
        assert client.get(f"/rest/scheduled?max={wrong}", headers=basic("juliet")).status_code == 400


def test_deleting(client: FlaskClient) -> None:
    answer = post(client, Delay="1h")
    place = answer.headers["Location"]
    assert client.delete(place).status_code == 401
    assert client.delete(place, headers=basic("nurse")).status_code == 404
    assert client.get(place, headers=basic("nurse")).status_code == 404
    assert client.delete(place, headers=basic("juliet")).status_code == 204
    assert client.delete(place, headers=basic("juliet")).status_code == 404
    assert client.get(place, headers=basic("juliet")).status_code == 404
    assert client.get(f"/rest/outcome/{answer.headers['Stanza-Id']}", headers=basic("juliet")).status_code == 404
    assert client.put(place, headers=basic("juliet")).status_code == 405


@pytest.mark.parametrize("accept", ["application/xmpp+xml", "text/html", "image/png", "application/json;q=0"])
def test_whatever_accept_says(accept: str, client: FlaskClient) -> None:
    identifier = (post(client, **{"Send-At": "1h"}).json or {})["id"]
    headers = basic("juliet") | {"Accept": accept}
    answers = [client.open(path, method=method, headers=headers) for method, path in (
        ("GET", "/rest/scheduled"), ("GET", f"/rest/scheduled/{identifier}"), ("DELETE", f"/rest/scheduled/{identifier}"),
    )]  # fmt: skip
    assert [(a.status_code, a.mimetype) for a in answers[:2]] == [(200, "application/json")] * 2
    assert answers[2].status_code == 204


def test_of_another_account(client: FlaskClient) -> None:
    place = post(client, Delay="1h").headers["Location"]
    of = f"?of=juliet@{DOMAIN}"
    assert client.get(f"/rest/scheduled{of}", headers=basic("nurse")).status_code == 403
    assert client.get(f"/rest/scheduled{of}", headers=basic("admin")).json["count"] == 1  # type: ignore[index]
    assert client.get(f"/rest/scheduled{of}", headers=COMPONENT).json["count"] == 1  # type: ignore[index]
    assert client.get("/rest/scheduled?of=@", headers=COMPONENT).status_code == 422
    assert client.delete(place + of, headers=basic("nurse")).status_code == 403
    assert client.delete(place + of, headers=COMPONENT).status_code == 204


def test_the_component_schedules_for_itself(client: FlaskClient) -> None:
    answer = client.post("/rest", json={"to": "a@b.example", "body": "x"}, headers=COMPONENT | {"Delay": "1h"})
    assert answer.status_code == 202
    assert client.get("/rest/scheduled", headers=COMPONENT).json["count"] == 1  # type: ignore[index]


def test_once_for_a_key(client: FlaskClient) -> None:
    first = post(client, Delay="1h", Idempotency_Key="k1")
    again = post(client, Delay="1h", Idempotency_Key="k1")
    assert (again.status_code, again.json, again.headers["Location"]) == (202, first.json, first.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert post(client, Delay="2h", Idempotency_Key="k1").status_code == 422
    assert listed(client)["count"] == 1


def test_nobody_reads_or_writes_the_store_itself(client: FlaskClient) -> None:
    post(client, Delay="1h")
    path, me = f"/data/{DOMAIN}/juliet/scheduled", basic(f"juliet@{DOMAIN}")
    assert client.get(path, headers=me).status_code == 403
    assert client.put(path, json={"a": 1}, headers=me).status_code == 403


def test_an_id_that_was_used_before_is_sent_all_the_same(app: Flask, client: FlaskClient) -> None:
    """A reminder with one id each time: that the archive has the earlier one does not mean that this one was sent."""
    sent: list[str] = []
    gateway: Gateway = app.extensions["gateway"]
    attach(gateway.parts.router, lambda _, stanza: sent.append(stanza.attrib["id"]))
    reminder = {"to": "romeo@montague.example", "body": "Call", "id": "reminder"}
    assert post(client, reminder).status_code == 202
    assert post(client, reminder, Delay="1s").status_code == 202
    end = time.monotonic() + 20
    while len(sent) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert sent == ["reminder", "reminder"]
