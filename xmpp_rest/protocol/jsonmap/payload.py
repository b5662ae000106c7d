"""JSON containers: any JSON value inside a stanza, as the field `payload` (XEP-0432)."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.content import OwnContent
from xmpp_rest.protocol.jsonmap.exceptions import MappingError, Unmappable
from xmpp_rest.protocol.jsonmap.lines import attr, text
from xmpp_rest.protocol.jsonmap.plan import MappingPlan
from xmpp_rest.protocol.jsonmap.scalars import forbidden
from xmpp_rest.protocol.strict_json import BadJSON, read_json

LINES = (attr("datatype"), text("data"))
_PLAN = MappingPlan(LINES)
_DATATYPE = MappingPlan(LINES[:1])


def _to_json(element: Element) -> Any:
    payload = _PLAN.read(element, {})
    try:
        payload["data"] = read_json(payload.get("data", "").encode())
    except BadJSON as e:
        raise Unmappable(f"the stanza's JSON container holds no JSON: {e}") from e
    return payload


def _json_text(value: Any) -> str:
    try:
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return json.dumps(value, allow_nan=False, separators=(",", ":")) if forbidden(plain) else plain
    except (TypeError, ValueError, RecursionError) as e:
        raise MappingError(f"give a JSON value that is finite and not too deep ({e})", "data") from e


def _from_json(element: Element, value: Any) -> None:
    if isinstance(value, dict):
        _DATATYPE.write(element, value)
        element.text = _json_text(value.get("data"))


PAYLOAD = OwnContent(_to_json, _from_json)
