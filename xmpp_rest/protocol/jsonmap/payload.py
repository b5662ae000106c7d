"""How does any JSON value travel inside a stanza? The JSON container `payload` (XEP-0432)."""

from __future__ import annotations

import json
from typing import Any, NoReturn
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.content import OwnContent
from xmpp_rest.protocol.jsonmap.exceptions import MappingError, Unmappable
from xmpp_rest.protocol.jsonmap.lines import attr, text
from xmpp_rest.protocol.jsonmap.plan import Plan
from xmpp_rest.protocol.jsonmap.scalars import forbidden

LINES = (
    attr("datatype"),
    text("data"),
)
_PLAN = Plan(LINES)
_DATATYPE = Plan(LINES[:1])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise ValueError("a number is too large")
    return number


def _read(element: Element) -> Any:
    payload = _PLAN.read(element, {})
    try:
        payload["data"] = json.loads(payload.get("data", ""), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as e:
        raise Unmappable(f"the stanza's JSON container holds no JSON: {e}") from e
    return payload


def _serialised(value: Any) -> str:
    try:
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return json.dumps(value, allow_nan=False, separators=(",", ":")) if forbidden(plain) else plain
    except (TypeError, ValueError, RecursionError) as e:
        error = MappingError(f"give a JSON value that is finite and not too deep ({e})")
        error.within("data")
        raise error from e


def _write(element: Element, value: Any) -> None:
    if isinstance(value, dict):
        _DATATYPE.write(element, value)
        element.text = _serialised(value.get("data"))


PAYLOAD = OwnContent(_read, _write)
