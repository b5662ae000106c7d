"""Whether the gateway lives, and whether it is ready: for machines, without credentials."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from xmpp_rest.api.gateway import Check, Gateway
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.http.resource import Stop

RETRY_AFTER = "5"  # seconds


class Live(ApiResource):
    """Whether the process answers; says nothing else, so it needs no credentials."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        self.set_field("Cache-Control", "no-store")
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        return {"status": "ok"}


class Health(Live):
    """Whether the process answers, and whether the storage does, in Gotify's words as well (hooks §14)."""

    def to_json(self) -> dict[str, Any]:
        if self.gateway.storage_answers():
            return {"status": "ok", "health": "green", "database": "green"}
        body = {"status": "ok", "health": "orange", "database": "red"}
        status = 500 if self.gateway.has_begun else 200  # who waits for the storage before the start is all right
        raise Stop(Response(json.dumps(body), status, content_type="application/json"))


class Ready(Live):
    """Whether every check succeeds that `[health] ready_needs` names; with `verbose` in the query, how each went."""

    def to_json(self) -> dict[str, Any]:
        checks = self.gateway.checks()
        needed = {"process", *self.gateway.settings.ready_needs}
        failed = [check for check in checks if check.reason and check.check in needed]
        body: dict[str, Any] = {"status": "unavailable" if failed else "ok"}
        if "verbose" in self.request.args:
            body["checks"] = [_told(check, needed=check.check in needed) for check in checks]
        elif failed:
            body["reasons"] = [{"check": check.check, **_where(check)} for check in failed]
        if failed:
            raise Stop(Response(json.dumps(body), 503, {"Retry-After": RETRY_AFTER}, content_type="application/json"))
        return body


def _where(check: Check) -> dict[str, str]:
    return {name: value for name, value in (("domain", check.domain), ("reason", check.reason)) if value}


def _told(check: Check, *, needed: bool) -> dict[str, Any]:
    return {"check": check.check, "status": "failed" if check.reason else "ok", "needed": needed, **_where(check)}
