"""Short and older forms of an object, rewritten for the tables: archive shortcuts and `join` (json-mapping §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.exceptions import within
from xmpp_rest.protocol.jsonmap.kinds import given
from xmpp_rest.protocol.jsonmap.lines import attr
from xmpp_rest.protocol.jsonmap.plan import MappingPlan, Object
from xmpp_rest.protocol.jsonmap.scalars import INTEGER, read_number
from xmpp_rest.protocol.namespaces import MAM

FILTERS = ("with", "start", "end", "before-id", "after-id", "ids")  # XEP-0313 §4.1
PAGING = ("after", "before", "max")  # XEP-0059
_SHORT = MappingPlan((*(attr(name) for name in (*FILTERS, *PAGING) if name != "max"), attr("max", INTEGER)))


def _values(name: str, archive: Object) -> list[Any]:
    value = archive.get(name, False)
    if name == "ids":
        ids = value.split(",") if isinstance(value, str) else value
        return [i for i in ids if i != ""] if isinstance(ids, list) else []
    return [] if value is False else [value]


def _form(archive: Object) -> Object:
    fields = [{"var": "FORM_TYPE", "values": [MAM]}, *({"var": name, "values": _values(name, archive)} for name in FILTERS)]
    return {"type": "submit", "fields": fields}


def _page(archive: Object) -> Object:
    page = {name: archive[name] for name in PAGING if given(archive, name)}
    if isinstance(page.get("max"), str) and read_number(page["max"]) is None:
        del page["max"]
    return page


def _archive_query(obj: Object, type_: str | None) -> Object:
    archive = obj.get("archive")
    if type_ != "set" or not isinstance(archive, dict) or given(archive, "form"):
        return obj
    with within("archive"):
        _SHORT.write(Element("archive"), archive)  # a value that XML cannot hold is refused by the name that the client used
    archive = {name: value for name, value in archive.items() if name != "form"}
    if any(given(archive, name) for name in FILTERS):
        archive["form"] = _form(archive)
    if any(given(archive, name) for name in PAGING):
        archive["page"] = _page(archive)
    return {**obj, "archive": archive}


def _join(obj: Object, type_: str | None) -> Object:
    return {**obj, "muc": {}} if obj.get("join") is True and "muc" not in obj else obj


REWRITE: dict[str, Callable[[Object, str | None], Object]] = {"presence": _join, "iq": _archive_query}
