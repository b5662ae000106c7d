"""Data forms in JSON, in the three shapes full form, schema form and form data (XEP-0004; json-mapping §6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.jsonmap.content import ObjectContent, OwnContent, TextContent, own_text, write_items
from xmpp_rest.protocol.jsonmap.exceptions import MappingError, within
from xmpp_rest.protocol.jsonmap.lines import array, attr, child, flag
from xmpp_rest.protocol.jsonmap.plan import Object, clark
from xmpp_rest.protocol.jsonmap.scalars import STRING
from xmpp_rest.protocol.namespaces import DATA_FORMS

_HEAD = (attr("type"), child("title"), child("instructions"))
_FIELD = (
    attr("var"),
    attr("type"),
    attr("label"),
    child("desc"),
    flag("required"),
    array("options", None, "option", (attr("label"), child("value"))),
)
FORM = (*_HEAD, array("fields", None, "field", (*_FIELD, array("values", None, "value", TextContent()))))
FULL = (*_HEAD, array("fields", None, "field", (*_FIELD, array("value", None, "value", TextContent()))))
_FULL = ObjectContent(FULL).bind(DATA_FORMS)
_FIELD_TAG = clark(DATA_FORMS, "field")
_VALUE_TAG = clark(DATA_FORMS, "value")
_WRITE_VALUE = TextContent().bind(DATA_FORMS).write


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


_FULL_VALUE: dict[str | None, Callable[[list[str]], Any]] = {  # by the field's type; any other: the first value
    "jid-multi": list,
    "list-multi": list,
    "text-multi": "\n".join,
}
_WITH_OPTIONS = ("list-single", "list-multi")


def _full_field(field: Object) -> Object:
    values, options = field.pop("value", []), field.pop("options", [])
    if (value := _FULL_VALUE.get(field.get("type"), _first)(values)) is not None:
        field["value"] = value
    if field.get("type") in _WITH_OPTIONS:
        field["options"] = options
    return field


def _read_full(element: Element) -> Any:
    form = _FULL.read(element)
    form["fields"] = [_full_field(f) for f in form.get("fields", ())]
    return form


def _with_values(field: Any, n: int) -> Object:
    if not isinstance(field, dict):
        raise MappingError('give an object such as {"var": "name", "value": "text"}', f"fields[{n}]")
    value = field.get("value")
    return {**field, "value": value if isinstance(value, list | tuple) else [value] if isinstance(value, str) else []}


def _write_full(element: Element, form: Any) -> None:
    if not isinstance(form, dict):
        raise MappingError('give a form as an object such as {"type": "submit", "fields": [{"var": "name", "value": "text"}]}')
    fields = form.get("fields", [])
    if not isinstance(fields, list | tuple):
        raise MappingError('give an array of objects such as {"var": "name", "value": "text"}', "fields")
    _FULL.write(element, {**form, "fields": [_with_values(f, n) for n, f in enumerate(fields)]})


FULL_FORM = OwnContent(_read_full, _write_full)

_DATA_VALUE: dict[str | None, Callable[[list[str]], Any]] = {  # by the field's type; any other: the first value, or null
    None: list,
    "list-single": list,
    "list-multi": list,
    "text-multi": "\n".join,
    "boolean": lambda values: _first(values) in ("1", "true"),
}


def read_data(element: Element) -> Object:
    """Field name → value of the form; the last of a repeated name is used, and a field without a name is left out."""
    data = {}
    for field in element.iterfind(_FIELD_TAG):
        if (var := field.get("var")) is not None:
            texts = [own_text(v) for v in field.iterfind(_VALUE_TAG)]
            data[var] = _DATA_VALUE.get(field.get("type"), _first)([t for t in texts if t is not None])
    return data


def write_data(element: Element, data: Any) -> None:
    """Add one field per member of the object `data`; any other value adds none. Raises MappingError."""
    for var, value in data.items() if isinstance(data, dict) else ():
        if not isinstance(var, str):  # keys in CBOR may be of other types
            continue
        with within(var):
            field = SubElement(element, _FIELD_TAG, {"var": STRING.write(var) or ""})
            write_items(field, [value] if isinstance(value, str) else value, _VALUE_TAG, _WRITE_VALUE)


FORM_DATA = OwnContent(read_data, write_data)
