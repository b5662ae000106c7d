"""Every answer names its request."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic

ADMIN = basic(f"admin@{DOMAIN}")
PATHS = [
    ("GET", f"/rest/ping/{DOMAIN}", 200), ("PUT", "/rest", 405), ("GET", "/rest", 301), ("GET", "/data/x", 404), ("GET", "/api/messages", 200),
    ("POST", "/api/nothing", 400), ("GET", "/api/registered_vhosts", 200), ("GET", "/oauth/token", 405), ("GET", "/nothing", 404), ("GET", "/health", 200),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_it_is_on_every_answer(client: FlaskClient, method: str, path: str, status: int) -> None:
    answers = [client.open(path, method=method, headers=ADMIN) for _ in range(2)]
    assert [a.status_code for a in answers] == [status, status]
    ids = [a.headers.getlist("X-Request-Id") for a in answers]
    assert all(len(i) == 1 and len(i[0]) == 32 and set(i[0]) <= set("0123456789abcdef") for i in ids)
    assert ids[0] != ids[1]
    assert client.open(path, method=method, headers=ADMIN | {"X-Request-Id": "a.B:/+=@-_9"}).headers["X-Request-Id"] == "a.B:/+=@-_9"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "\xe4", "<script>", "a,b"])
def test_what_is_no_id_is_replaced(client: FlaskClient, given: str) -> None:
    assert len(client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"]) == 32
    assert client.get("/health", headers={"X-Request-Id": "x" * 128}).headers["X-Request-Id"] == "x" * 128


def test_an_answer_that_is_sent_again_keeps_its_name(client: FlaskClient) -> None:
    fields = ADMIN | {"Idempotency-Key": "k", "Content-Type": "application/json"}
    note = f'{{"to":"admin@{DOMAIN}","body":"x"}}'
    first, again = (client.post("/rest", data=note, headers=fields) for _ in range(2))
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert first.headers.getlist("X-Request-Id") == again.headers.getlist("X-Request-Id")
    assert client.post("/rest", data=note, headers=fields | {"X-Request-Id": "mine"}).headers.getlist("X-Request-Id") == ["mine"]
