"""Writes descriptions of APIs as one OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xmpp_rest import __version__
from xmpp_rest.api.openapi.model import JSON, PROBLEM_SCHEMAS, ApiAnswer, ApiBody, ApiOperation, Description, Media, Parameter, Schema

LICENSE = {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"}
SCHEMES: dict[str, Schema] = {
    "basic": {"type": "http", "scheme": "basic", "description": "Address and password of an account."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token, as from `/oauth/token`; for deliveries that of a hook."},
}
_IN_PATH = re.compile(r"\{(\w+)\}")


def document(title: str, url: str, descriptions: Sequence[Description]) -> dict[str, Any]:
    """The document of these APIs, whose paths are below `url`. Raises ValueError for two things of one name."""
    shared = SharedAnswers(descriptions)
    paths: dict[str, dict[str, Any]] = {}
    for description in descriptions:
        for operation in description.operations:
            item = paths.setdefault(operation.path, {})
            if operation.method in item:
                raise ValueError(f"{operation.method} {operation.path} is described twice")
            item[operation.method] = _operation(description.tag, operation, shared)
    schemas = _merged([PROBLEM_SCHEMAS, *(description.schemas for description in descriptions)])
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "license": LICENSE},
        "servers": [{"url": url}],
        "security": [{name: []} for name in SCHEMES],
        "tags": [{"name": description.tag, "description": description.text} for description in descriptions],
        "paths": paths,
        "components": {"schemas": schemas, "responses": shared.written, "securitySchemes": SCHEMES},
    }


class SharedAnswers:
    """The answers that several operations have: written once."""

    def __init__(self, descriptions: Iterable[Description]) -> None:
        self._names: dict[int, str] = {}  # identity of an answer → its name
        self.written: dict[str, Any] = {}
        for description in descriptions:
            rows = [(status, answer) for operation in description.operations for status, answer in operation.answers.items()]
            times = Counter(id(answer) for _, answer in rows)
            for status, answer in rows:
                if times[id(answer)] > 1 and id(answer) not in self._names:
                    self._name(f"{description.tag}{status}", answer)

    def _name(self, wanted: str, answer: ApiAnswer) -> None:
        number = sum(name.partition(".")[0] == wanted for name in self.written)
        name = f"{wanted}.{number + 1}" if number else wanted
        self._names[id(answer)] = name
        self.written[name] = _answer(answer)

    def response(self, answer: ApiAnswer) -> dict[str, Any]:
        """The answer, or a reference to it."""
        name = self._names.get(id(answer))
        return _answer(answer) if name is None else {"$ref": f"#/components/responses/{name}"}


def _operation(tag: str, operation: ApiOperation, shared: SharedAnswers) -> dict[str, Any]:
    named = [row.name for row in operation.parameters if row.place == "path"]
    if sorted(named) != sorted(_IN_PATH.findall(operation.path)):
        raise ValueError(f"{operation.path} has other parameters than {named}")
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        **({"description": operation.text} if operation.text else {}),
        "tags": [tag],
        **({"parameters": [_parameter(row) for row in operation.parameters]} if operation.parameters else {}),
        **({"requestBody": _body(operation.body)} if operation.body else {}),
        "responses": {str(status): shared.response(answer) for status, answer in sorted(operation.answers.items())},
        **({} if operation.security is None else {"security": list(operation.security)}),
    }


def _parameter(row: Parameter) -> dict[str, Any]:
    return {
        "name": row.name,
        "in": row.place,
        "description": row.text,
        **({"required": True} if row.required or row.place == "path" else {}),
        **row.more,
        "schema": row.schema,
        **({} if row.example is None else {"example": row.example}),
    }


def _body(body: ApiBody) -> dict[str, Any]:
    ordered = sorted(body.content.items(), key=lambda item: item[0] != JSON)
    return {"required": body.required, "content": {name: _media(media) for name, media in ordered}}


def _media(media: Media) -> dict[str, Any]:
    return {"schema": media.schema} | ({} if media.example is None else {"example": media.example})


def _answer(answer: ApiAnswer) -> dict[str, Any]:
    fields = {name: {"description": text, "schema": {"type": "string"}} for name, text in answer.fields.items()}
    content = {name: {"schema": schema} for name, schema in answer.content.items()}
    return {"description": answer.text, **({"headers": fields} if fields else {}), **({"content": content} if content else {})}


def _merged(tables: Iterable[Mapping[str, Schema]]) -> dict[str, Schema]:
    merged: dict[str, Schema] = {}
    for table in tables:
        if twice := merged.keys() & table.keys():
            raise ValueError(f"there are two schemas of the name {min(twice)}")
        merged |= table
    return dict(sorted(merged.items()))
