"""Holds answers against the OpenAPI description: whether their status, their type and their body are what it says."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
from flask import Flask
from werkzeug.test import TestResponse

from xmpp_rest.api.commands import registry
from xmpp_rest.api.openapi.documents import ALL, Documents, Prefixes
from xmpp_rest.config.table import ClientSettings, CommandsSettings

Document = dict[str, Any]
OWN_STORE = re.compile("(/data/[A-Za-z_]+/(?:json|lua))/")  # as the peer's clients write it: not an account
BELOW_ROOMS = "/rest/rooms/"
SLASHES = {"to", "command", "path", "any"}  # parameters at the end of a path, which take what follows


@cache
def described_by(client: ClientSettings, commands: CommandsSettings, prefixes: Prefixes) -> Described:
    return Described(Documents(registry()).document(ALL, "/", client, commands, prefixes))


def misses(app: Flask, response: TestResponse) -> list[str]:
    """What the description of the application's APIs does not say of this answer."""
    settings = app.extensions["gateway"].settings
    return list(described_by(settings.client, settings.commands, Prefixes.of(settings)).misses(response))


class Described:
    """A document, ready to be held against answers."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        rows = sorted(document["paths"].items(), key=lambda row: (row[0].count("{"), -len(row[0])))
        self._paths = [(re.compile(_pattern(path)), path, item) for path, item in rows]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any] | None]:
        """The described path that a path fits, and its operation; ("", None): none does."""
        method, path = "get" if method == "HEAD" else method.lower(), OWN_STORE.sub(r"\1", path)
        found = [(known, item.get(method)) for pattern, known, item in self._paths if pattern.fullmatch(path)]
        return next((row for row in found if row[1]), found[0] if found else ("", None))

    def misses(self, response: TestResponse) -> Iterator[str]:
        environ = response.request.environ
        path = str(environ["RAW_URI"]).partition("?")[0]
        known, operation = self.operation(environ["REQUEST_METHOD"], path)
        if path.startswith(BELOW_ROOMS) and not known.startswith(BELOW_ROOMS):  # nothing is there, which a problem document says
            return
        if operation is None or response.status_code == 405:  # other methods: an Allow field says which there are
            return
        said = operation["responses"].get(str(response.status_code))
        if said is None:
            yield f"{environ['REQUEST_METHOD']} {known}: {response.status_code} is not described: {response.get_data()[:300]!r}"
        elif environ["REQUEST_METHOD"] != "HEAD" and response.status_code != 304:
            yield from (f"{environ['REQUEST_METHOD']} {known}: {miss}" for miss in self._body(response, self._resolved(said)))

    def _body(self, response: TestResponse, said: dict[str, Any]) -> Iterator[str]:
        kind, content = response.headers.get("Content-Type", "").partition(";")[0], said.get("content", {})
        if kind == "text/event-stream":
            if kind not in content:
                yield "a stream is not described"
        elif data := _plain(response):
            if kind not in content and "*/*" not in content:
                yield f"{kind} is not among {list(content)} of {response.status_code}: {data[:300]!r}"
            elif kind.endswith("json"):
                values = data.splitlines() if kind == "application/x-ndjson" else [data]
                yield from (miss for value in values for miss in self.problems(json.loads(value), content[kind]["schema"]))

    def problems(self, value: Any, schema: dict[str, Any]) -> Iterator[str]:
        """What of the value does not fit the schema."""
        key = json.dumps(schema)
        if key not in self._validators:
            whole = schema | {"components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        for error in self._validators[key].iter_errors(value):
            yield f"{error.message[:500]} at {error.instance_path}"

    def _resolved(self, said: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in said:
            return said
        found: dict[str, Any] = self.document["components"]["responses"][said["$ref"].rpartition("/")[2]]
        return found


def _plain(response: TestResponse) -> bytes:
    data = response.get_data()
    return gzip.decompress(data) if response.headers.get("Content-Encoding") == "gzip" else data


def _pattern(path: str) -> str:
    parts = re.split(r"(\{\w+\})", path)
    return "".join(re.escape(p) if p[:1] != "{" else ".+" if p[1:-1] in SLASHES else "[^/]+" for p in parts)
