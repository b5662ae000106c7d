"""/livez and /readyz: whether the gateway answers, and whether it can do its work."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from drivers import StorageError
from drivers.lease import LeaseTaken
from tests.cluster.made_up import MadeUpNode
from tests.conftest import DOMAIN, MakeApp
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway import readiness
from xmpp_rest.gateway.gateway import Gateway

LINK = {"link_kind": "component", "link_secret": "x", "link_port": "1"}
UNREACHABLE = [
    {"check": "link", "reason": "unreachable", "domain": domain} for domain in (DOMAIN, f"muclight.{DOMAIN}", f"conference.{DOMAIN}")
]


def ready(client: FlaskClient) -> tuple[int, Any]:
    answer = client.get("/readyz")
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Retry-After") == ("5" if answer.status_code == 503 else None)
    return answer.status_code, answer.json


def unavailable(*reasons: dict[str, str]) -> tuple[int, Any]:
    return 503, {"status": "unavailable", "reasons": list(reasons)}


def settled(client: FlaskClient) -> tuple[int, Any]:
    """The answer once the streams have been tried."""
    while "connecting" in str(answer := ready(client)):  # bounded by the time limit of the test
        pass
    return answer


GREEN = {"health": "green", "database": "green"}


@pytest.mark.parametrize(("path", "more"), [("/livez", {}), ("/readyz", {}), ("/health", GREEN)])
def test_all_is_well(client: FlaskClient, path: str, more: dict[str, str]) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json, answer.mimetype) == (200, {"status": "ok", **more}, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    head = client.head(path)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", answer.headers["Content-Length"])
    assert client.post(path).status_code == 405


def test_credentials_are_not_looked_at(client: FlaskClient) -> None:
    assert client.get("/readyz", headers={"Authorization": "Basic !"}).status_code == 200


def test_a_link_that_is_down(make_app: MakeApp) -> None:
    client = make_app(**LINK).test_client()
    assert settled(client) == unavailable(*UNREACHABLE)
    assert client.head("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_a_link_that_nobody_needs(make_app: MakeApp) -> None:
    client = make_app(**LINK, health_ready_needs="storage, lease").test_client()
    client.get("/health")
    assert ready(client) == (200, {"status": "ok"})
    answer = client.get("/readyz?verbose=no")
    assert answer.status_code == 200
    told = {(check["check"], check.get("domain")): check for check in answer.json["checks"]}  # type: ignore[index]
    assert told["link", DOMAIN]["status"] == "failed"
    assert told["link", DOMAIN]["needed"] is False
    assert told["storage", None] == {"check": "storage", "status": "ok", "needed": True}
    assert told["process", None]["needed"] is True
    assert set(told) == {(check, None) for check in ("storage", "outbox", "lease", "process")} | {
        ("link", domain) for domain in (DOMAIN, f"muclight.{DOMAIN}", f"conference.{DOMAIN}")
    }


def test_details_of_what_fails(make_app: MakeApp) -> None:
    client = make_app(**LINK).test_client()
    settled(client)
    answer = client.get("/readyz?verbose")
    assert (answer.status_code, answer.json["status"]) == (503, "unavailable")  # type: ignore[index]
    assert {"check": "link", "status": "failed", "needed": True, **UNREACHABLE[0]} in answer.json["checks"]  # type: ignore[index]
    assert "reasons" not in answer.json  # type: ignore[operator]


def test_a_full_outbox(make_app: MakeApp) -> None:
    app = make_app(**LINK, link_outbox_size="1", link_outbox_share="100", health_ready_needs="outbox")
    client = app.test_client()
    assert ready(client)[0] == 200
    sent = {"from": f"nobody@{DOMAIN}", "to": "romeo@montague.example", "body": "hi"}
    assert client.post("/rest", json=sent, headers={"Authorization": "Bearer hand-in-glove"}).status_code == 202
    assert ready(client) == unavailable({"check": "outbox", "reason": "full"})


def test_a_storage_that_fails_says_nothing_of_itself(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StorageError("/secret/place: the disk is on fire")

    gateway.start()
    monkeypatch.setattr(gateway.driver, "load", broken)
    assert ready(client) == unavailable({"check": "storage", "reason": "unusable"})
    assert client.get("/livez").status_code == 200


def test_a_storage_that_is_not_there_at_the_start(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()

    def fail() -> None:
        raise StorageError("away")

    monkeypatch.setattr(app.extensions["gateway"], "start", fail)
    client = app.test_client()
    assert client.get("/livez").status_code == 200
    assert ready(client) == unavailable({"check": "storage", "reason": "unusable"})


def test_a_storage_that_hangs(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.start()
    going, load = threading.Event(), gateway.driver.load

    def hang(user: str | None, host: str, store: str) -> object:
        if store == readiness.STORE:
            going.wait(30)
        return load(user, host, store)

    monkeypatch.setattr(gateway.driver, "load", hang)
    try:
        assert ready(client) == unavailable({"check": "storage", "reason": "slow"})
    finally:
        going.set()


def test_a_gateway_that_is_stopped(client: FlaskClient, gateway: Gateway) -> None:
    assert ready(client)[0] == 200
    gateway.end_waiting()
    assert ready(client) == unavailable({"check": "process", "reason": "stopping"})
    assert client.get("/livez").status_code == 200


def test_a_gateway_whose_storage_another_one_has(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.start()
    monkeypatch.setattr(type(gateway.parts.lease), "lost", property(lambda _: True))
    assert ready(client) == unavailable({"check": "lease", "reason": "no-owner"})


def test_a_gateway_that_never_got_the_storage(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken() -> None:
        raise LeaseTaken("another gateway")

    app = make_app()
    monkeypatch.setattr(app.extensions["gateway"], "start", taken)
    assert ready(app.test_client()) == unavailable({"check": "lease", "reason": "no-owner"})


@pytest.mark.usefixtures("caplog")
def test_a_fault_of_ours_is_not_ready(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[dict[str, Any]]:
        raise ZeroDivisionError

    gateway.start()
    monkeypatch.setattr(gateway.driver, "load", fail)
    object.__setattr__(gateway.parts, "link_status", fail)
    assert ready(client) == unavailable({"check": "storage", "reason": "unusable"}, {"check": "lease", "reason": "no-owner"})


def test_the_owner_of_the_link(client: FlaskClient, gateway: Gateway) -> None:
    gateway.start()
    asked = threading.Event()

    def silent() -> list[dict[str, Any]]:
        asked.wait(30)
        raise GatewayError("link-down")

    object.__setattr__(gateway.parts, "link_status", silent)
    assert ready(client) == unavailable({"check": "lease", "reason": "owner-silent"})
    asked.set()
    while ready(client) != unavailable({"check": "lease", "reason": "no-owner"}):  # bounded by the time limit of the test
        pass


def test_a_storage_that_does_not_answer(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health").status_code == 200
    monkeypatch.setattr(gateway, "storage_answers", lambda: False)
    answer = client.get("/health")
    assert (answer.status_code, answer.json) == (500, {"status": "ok", "health": "orange", "database": "red"})
    assert client.get("/livez").status_code == 200


def test_a_node_that_drains_is_not_ready_and_serves_on(client: FlaskClient, gateway: Gateway) -> None:
    node = MadeUpNode()
    gateway.parts = replace(gateway.parts, cluster=node)
    assert ready(client)[0] == 200
    node.draining = True
    assert ready(client) == unavailable({"check": "process", "reason": "draining"})
    assert client.get("/livez").status_code == 200
    node.draining = False
    assert ready(client)[0] == 200


def test_a_node_without_an_owner_is_ready_for_as_long_as_requests_wait(gateway: Gateway) -> None:
    now, answers = [1000.0], [True]

    def ask() -> list[dict[str, Any]]:
        if not answers[0]:
            raise GatewayError("link-down")
        return []

    def lease() -> str:
        return next(check.reason for check in judged.checks() if check.check == "lease")

    gateway.start()
    gateway.parts = replace(gateway.parts, cluster=MadeUpNode(), link_status=ask)
    judged = readiness.Readiness(gateway, lambda: now[0])
    answers[0] = False
    assert lease() == "no-owner"  # it has not met one yet
    answers[0] = True
    assert lease() == ""
    answers[0] = False
    now[0] += 9.9
    assert lease() == ""
    now[0] += 0.2
    assert lease() == "no-owner"


def test_a_node_that_knows_that_nobody_owns_says_so(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its calls wait for an owner; one that does not answer is another matter."""
    going = threading.Event()

    def wait() -> list[dict[str, Any]]:
        going.wait(30)
        return []

    gateway.start()
    node = MadeUpNode()
    gateway.parts = replace(gateway.parts, cluster=node, link_status=wait)
    monkeypatch.setattr(readiness, "OWNER_SECONDS", 0.1)
    try:
        reasons = []
        for node.owner in ("web2", ""):
            reasons += [check.reason for check in readiness.Readiness(gateway).checks() if check.check == "lease"]
        assert reasons == ["owner-silent", "no-owner"]
    finally:
        going.set()
