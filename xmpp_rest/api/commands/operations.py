"""The operations of the command API, for its OpenAPI description: one for each command of the catalogue that the gateway offers."""

from __future__ import annotations

from xmpp_rest.api.commands.registry import Command, Registry
from xmpp_rest.api.commands.schemas import SCHEMAS, arguments, example, result
from xmpp_rest.api.commands.types import ScalarType
from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    STRING,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    choice,
    ref,
    refusals,
)  # fmt: skip
from xmpp_rest.config.table import CommandsSettings

TEXTS = {
    400: "The arguments are wrong, or the command cannot do that.",
    401: "No good credentials.",
    403: "The caller may not do this.",
    404: "There is no such command, or nothing of this name.",
    409: "There is something of this name already, or something in the way.",
    413: "The body is too large.",
    415: "The body has a coding that is not known here.",
    429: "Too many wrong passwords, or more requests than the limits allow.",
    500: "The command has met an error.",
    503: "Not now: see `Retry-After`.",
}
AS_ERROR: dict[str, Schema] = {JSON: ref("CommandError")}
REFUSED = refusals(TEXTS, AS_ERROR)
REFUSED |= {status: REFUSED[status]._replace(content=AS_ERROR | AS_PROBLEM) for status in (400, 503)}
ANSWERED_500 = {
    "muc_online_rooms_by_regex": "an expression that cannot be read",
    "process_rosteritems": "an action that there is not",
    "register": "a name or a password that no account can have (code 10001)",
    "resource_num": "a number that no session has",
    "set_vcard2_multi": "no values",
    "stats": "a figure that there is not",
    "stats_host": "a figure that there is not",
}
"""Command → the mistake in its arguments that it answers with 500, as ejabberd's does, and its clients know (commands-api §9)."""
OF_ROOMS = {
    409: "The nick is taken in the room, or the room has lost the account for good.",
    410: "The room was destroyed.",
    422: "The room cannot read this, or the id of the stanza is too long.",
    502: "There is no such server of rooms, or the room has refused this for a reason of its own.",
    504: "The room has not answered, or not shown the message in time.",
}
"""What is answered to messages to rooms elsewhere (rooms-anywhere §5)."""
MORE = {name: refusals({422: "The id of the stanza is too long."}, AS_ERROR) for name in ("send_stanza", "send_stanza_c2s")} | {
    name: refusals(OF_ROOMS, AS_ERROR) for name in ("send_message", "send_stanza")
} | {
    name: refusals({500: f"As in ejabberd, {mistake}. Else: {TEXTS[500][0].lower()}{TEXTS[500][1:]}"}, AS_ERROR)
    for name, mistake in ANSWERED_500.items()
}
ONLY_DONE = ApiAnswer("Done (0), or not (1).", {JSON: {"type": "integer", "enum": [0, 1]}})

TEXT = "Administration, compatible with ejabberd's mod_http_api. `POST /api` with `application/x-ndjson` runs a command on each line."
FREE: Schema = {"type": "object", "additionalProperties": STRING}
ARGUMENTS = Parameter("arguments", "query", "The arguments of the command.", FREE, more={"style": "form", "explode": True})


def describe(registry: Registry, settings: CommandsSettings) -> Description:
    """All commands, as calls that name no version run them."""
    version = min(settings.default_version, registry.newest)
    commands = registry.of_version(version)
    older = {command.definition.name: _older(command, registry) if settings.fit_version else [] for command in commands}
    rows = [_operation(command, "", version, older[command.definition.name]) for command in commands]
    names = choice(*(command.definition.name for command in commands))
    name = Parameter("command", "path", "The name of the command.", names, "status")
    by_get = ApiOperation(
        "get", "/api/{command}", "commandsGet", "Run a command with its arguments in the query, all of them texts; browsers only read so",
        {200: ApiAnswer("Its result.", {JSON: {}})} | REFUSED, (name, ARGUMENTS),
    )  # fmt: skip
    return Description("commands", TEXT, [by_get, *rows], SCHEMAS)


def describe_version(registry: Registry, version: int) -> Description:
    """All commands as calls of one version run them."""
    rows = [_operation(command, f"/v{version}", version, []) for command in registry.of_version(version)]
    return Description("commands", f"Administration by version {version} of the commands.", rows, SCHEMAS)


def _older(command: Command, registry: Registry) -> list[Schema]:
    """What calls are answered that name no version and fit an older one only."""
    found = registry.older(command.definition.name, command.definition.version)
    return [result(each.definition, each.definition.version) for each in found]


def _operation(command: Command, suffix: str, version: int, older: list[Schema]) -> ApiOperation:
    definition = command.definition
    shown = result(definition, version)
    different = [schema for schema in older if schema != shown]
    schema = {"anyOf": [shown, *different]} if different else shown
    done = ONLY_DONE if definition.result.type == ScalarType("rescode") and not different else ApiAnswer("Its result.", {JSON: schema})
    return ApiOperation(
        "post", f"/api/{definition.name}{suffix}", f"command_{definition.name}", definition.summary,
        {200: done} | REFUSED | MORE.get(definition.name, {}), body=ApiBody({JSON: Media(arguments(definition), example(definition))}),
    )  # fmt: skip
