"""The operations for operation, for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Iterable

from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    OPEN,
    OPTIONAL,
    RETRY,
    STRING,
    ApiAnswer,
    ApiOperation,
    Description,
    Parameter,
    Schema,
    array,
    choice,
    integer,
    record,
    ref,
    refusals,
    some,
)  # fmt: skip

TEXTS = {
    400: "A field of the request cannot be read.",
    401: "No good credentials.",
    403: "Not for this caller.",
    404: "There is nothing of this name.",
    406: "`Accept` rules out all that there is.",
    412: "A condition of the request does not hold.",
    429: "Too many wrong credentials.",
    500: "The gateway has met an error of its own.",
    503: "Not now: see `Retry-After`.",
}
REFUSED = refusals(TEXTS, AS_PROBLEM)
UNCHANGED = {304: ApiAnswer("What `If-None-Match` names is what there is.")}
FOR_ALL = some(REFUSED, 400, 406, 412, 500, 503) | UNCHANGED
CLOSED = some(REFUSED, 401, 403, 429) | FOR_ALL
LIVE = {200: ApiAnswer("It answers.", {JSON: ref("Live")})} | FOR_ALL
FOR_HEALTH = {200: "All is well.", 500: "The storage does not answer."}
HEALTH = FOR_ALL | {status: ApiAnswer(text, {JSON: ref("Health")} | AS_PROBLEM) for status, text in FOR_HEALTH.items()}
AS_READY: dict[str, Schema] = {JSON: ref("Ready")}
READY = {200: ApiAnswer("It is.", AS_READY), 503: ApiAnswer("It is not.", AS_READY | AS_PROBLEM, RETRY)}
VERBOSE = Parameter("verbose", "query", "Whatever it says: list all checks.")
FOR_METRICS = "Without credentials from the networks in `[metrics] allow`; else with `[metrics] token`, or as an administrator."
AS_PAGE: dict[str, Schema] = {"text/plain": STRING, "text/html": STRING, JSON: ref("Landing")}
DOCUMENT = {200: ApiAnswer("OpenAPI 3.1.", {JSON: ref("OpenAPI")}, {"ETag": "The entity tag."})} | FOR_ALL
IF_NONE = Parameter("If-None-Match", "header", "The entity tag of what is known already.")
OPERATIONS = (
    ApiOperation("get", "/health", "opsHealth", "Whether the gateway and its storage answer", HEALTH, security=OPEN),
    ApiOperation("get", "/livez", "opsLive", "Whether the process lives", LIVE, security=OPEN),
    ApiOperation("get", "/readyz", "opsReady", "Whether the gateway is ready for its work", FOR_ALL | READY, (VERBOSE,), security=OPEN),
    ApiOperation(
        "get", "/status", "opsStatus", "How the gateway and its link are; for administrators",
        {200: ApiAnswer("Figures.", {JSON: ref("Status")})} | CLOSED,
    ),
    ApiOperation(
        "get", "/", "opsLanding", "What this is, and how a first message is sent: as a page, as text or as JSON",
        {200: ApiAnswer("A page.", AS_PAGE), 308: ApiAnswer("To the same with a slash.", {}, {"Location": "There."})}
        | some(REFUSED, 404) | FOR_ALL, security=OPEN,
    ),
    ApiOperation(
        "get", "/metrics", "opsMetrics", "Figures of all processes, for Prometheus",
        {200: ApiAnswer("The figures.", {"text/plain": STRING, "application/openmetrics-text": STRING})} | some(REFUSED, 404) | CLOSED,
        security=OPTIONAL, text=FOR_METRICS,
    ),
    ApiOperation("get", "/openapi.json", "opsOpenapi", "The description of all APIs", DOCUMENT, (IF_NONE,), security=OPEN),
)  # fmt: skip
WHERE = {"domain": STRING, "reason": STRING}
SCHEMAS = {
    "Live": record({"status": {"const": "ok"}}),
    "Health": record({"status": {"const": "ok"}, "health": choice("green", "orange"), "database": choice("green", "red")}),
    "Ready": record(
        {"status": choice("ok", "unavailable")},
        {
            "reasons": array(record({"check": STRING}, WHERE)),
            "checks": array(record({"check": STRING, "status": choice("ok", "failed"), "needed": {"type": "boolean"}}, WHERE)),
        },
    ),
    "Status": record(
        {
            "version": STRING, "domain": STRING, "waits": record({"count": integer(0), "most": integer(0)}),
            "processes": integer(0), "uptime": integer(0), "cluster": ref("Cluster"), "ready": {"type": "boolean"},
        },
        {
            "link": record({"kind": STRING, "streams": array({"type": "object"})}),
            "rooms": record(dict.fromkeys(("in", "joining", "out", "held"), integer(0))),
        },
        closed=False,
    ),
    "Cluster": record(
        {"kind": choice("none", "postgresql")},
        {
            "node": STRING, "copies": integer(1), "members": integer(0),
            "owners": array(record({"domain": STRING, "node": STRING, "epoch": integer(0), "here": {"type": "boolean"}})),
            "nodes": array(
                record(
                    {
                        "node": STRING, "version": STRING, "seen": {"type": "number", "minimum": 0}, "streams": integer(0),
                        "state": choice("ready", "draining", "silent"), "may_own": {"type": "boolean"}, "differs": array(STRING),
                    }
                )
            ),
        },
    ),
    "Landing": record({"name": STRING, "links": {"type": "object", "additionalProperties": STRING}}),
    "OpenAPI": record({"openapi": STRING, "info": {"type": "object"}, "paths": {"type": "object"}}, closed=False),
}  # fmt: skip


def describe(documents: Iterable[str], client_description: str) -> Description:
    """What is for operation. `documents`: those of `/openapi/{name}.json`; `client_description`: where the client API has its own."""
    name = Parameter("name", "path", "Which API.", choice(*documents), "rest")
    more = (
        ApiOperation(
            "get", "/openapi/{name}.json", "opsOpenapiOf", "The description of one API",
            DOCUMENT | some(REFUSED, 404), (name, IF_NONE), security=OPEN,
        ),
        ApiOperation("get", client_description, "opsClientDescription", "The client API alone, by itself", DOCUMENT, security=OPEN),
    )  # fmt: skip
    return Description("ops", "Operation: for machines, and for administrators.", (*OPERATIONS, *more), SCHEMAS)
