"""Bodies that are read before credentials count are bounded in sum; the order of the checks stays as it is."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from tests.api.commands.conftest import ADMIN, Run
from tests.conftest import DOMAIN, basic
from xmpp_rest.api.commands import unproven
from xmpp_rest.api.commands.unproven import MOST, SMALL, UnprovenBodies
from xmpp_rest.errors import GatewayError

LARGE = b'{"host":"%s","more":"%s"}' % (DOMAIN.encode(), b"x" * 2 * SMALL)
WRONG = basic(f"admin@{DOMAIN}", "wrong")
NOBODY: dict[str, str] = {}


@pytest.mark.parametrize("headers", [NOBODY, WRONG], ids=["no credentials", "wrong ones"])
def test_beyond_the_bound_only_credentials_open_a_large_body(run: Run, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> None:
    monkeypatch.setattr(unproven, "MOST", SMALL)
    assert run("registered_users", LARGE, headers).status == 503
    assert run("registered_users", {"host": DOMAIN}, headers).status in (401, 403)
    assert run("registered_users", {"host": DOMAIN, "more": "x" * 2 * SMALL}, ADMIN).status != 503


def test_large_bodies_are_judged_in_the_same_order(run: Run) -> None:
    assert run("registered_users", LARGE, WRONG).status == 401
    assert run("registered_users", LARGE + b"}", WRONG).status == 400
    assert run("registered_users", LARGE + b"}", NOBODY).status == 400
    assert run("no_such_command", LARGE, WRONG).status == 404


def test_a_batch_counts_as_much_as_is_kept_of_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproven, "MOST", SMALL)
    line = json.dumps({"command": "registered_users", "arguments": {"host": DOMAIN}})

    def status(headers: dict[str, str]) -> int:
        return app.test_client().post("/api", data=line, headers=headers, content_type="application/x-ndjson").status_code

    assert status(NOBODY) == 503
    assert status(ADMIN) == 200


def test_what_is_read_counts_no_more() -> None:
    bodies = UnprovenBodies()
    with bodies.reading(MOST), bodies.reading(SMALL), pytest.raises(GatewayError, match="waits-full"), bodies.reading(SMALL + 1):
        pytest.fail("that is too much")
    with bodies.reading(MOST):
        assert bodies._sum == MOST
    assert bodies._sum == 0
