"""Service discovery in JSON: the fields `disco` and `items` (XEP-0030, XEP-0128; json-mapping §6)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.jsonmap.content import AttributeContent, ObjectContent, OwnContent
from xmpp_rest.protocol.jsonmap.exceptions import within
from xmpp_rest.protocol.jsonmap.forms import read_data, write_data
from xmpp_rest.protocol.jsonmap.lines import array, attr
from xmpp_rest.protocol.jsonmap.plan import MappingPlan, Object, clark
from xmpp_rest.protocol.jsonmap.scalars import STRING
from xmpp_rest.protocol.namespaces import DATA_FORMS, DISCO_INFO, DISCO_ITEMS

INFO = (
    attr("node"),
    array("identities", None, "identity", (attr("category"), attr("type"), attr("name"))),
    array("features", None, "feature", AttributeContent("var")),
)
ITEM = (attr("jid"), attr("node"), attr("name"))
_NODE = MappingPlan(INFO[:1])
_INFO = MappingPlan(INFO, DISCO_INFO)
_ITEM = ObjectContent(ITEM).bind(DISCO_ITEMS)
_ITEM_TAG = clark(DISCO_ITEMS, "item")
_FORM_TAG = clark(DATA_FORMS, "x")
_FORM_TYPE = "FORM_TYPE"


def _question(query: Element) -> str | bool:
    """The JSON value of a query without children: its node, or true."""
    return query.get("node", True)


def _form_type(data: Object) -> str | None:
    kind = data.pop(_FORM_TYPE, None)
    if isinstance(kind, list):  # XEP-0068 wants the type hidden; without a type the values come as an array
        kind = kind[0] if kind else None
    return kind if isinstance(kind, str) else None


def _read_extensions(query: Element) -> Object:
    forms = [read_data(form) for form in query.iterfind(_FORM_TAG)]
    return {kind: data for data in forms if (kind := _form_type(data)) is not None}


def _read_info(query: Element) -> Any:
    if not len(query):
        return _question(query)
    info = _INFO.read(query, {"identities": [], "features": []})
    info["identities"] = [i for i in info["identities"] if "category" in i and "type" in i]
    if extensions := _read_extensions(query):
        info["extensions"] = extensions
    return info


def _write_extension(query: Element, kind: str, data: Any) -> None:
    members = data if isinstance(data, dict) else {}
    with within(f"extensions.{kind}"):
        write_data(SubElement(query, _FORM_TAG), {_FORM_TYPE: kind, **members} | {_FORM_TYPE: kind})


def _write_info(query: Element, value: Any) -> None:
    if isinstance(value, dict):
        _INFO.write(query, value)
        extensions = value.get("extensions")
        for kind, data in extensions.items() if isinstance(extensions, dict) else ():
            _write_extension(query, kind, data)
    else:
        _write_node(query, value)


def _write_node(query: Element, node: Any) -> None:
    if (text := STRING.write(node)) is not None:
        query.set("node", text)


def _read_items(query: Element) -> Any:
    if not len(query):
        return _question(query)
    return [_ITEM.read(item) for item in query.iterfind(_ITEM_TAG)]


def _write_item(query: Element, item: Any, n: int) -> None:
    if isinstance(item, str):
        item = {"jid": item}
    if isinstance(item, dict):
        with within(f"[{n}]"):
            _ITEM.write(SubElement(query, _ITEM_TAG), item)


def _write_items(query: Element, value: Any) -> None:
    if isinstance(value, list | tuple):
        for n, item in enumerate(value):
            _write_item(query, item, n)
    elif isinstance(value, dict):
        _NODE.write(query, value)
    else:
        _write_node(query, value)


DISCO = OwnContent(_read_info, _write_info)
ITEMS = OwnContent(_read_items, _write_items)
