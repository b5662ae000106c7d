"""Stanzas of type error in JSON (json-mapping §7)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.element import is_ncname
from xmpp_rest.protocol.jsonmap.exceptions import MappingError, within
from xmpp_rest.protocol.jsonmap.fields import ADDRESSING, ERROR_TABLES
from xmpp_rest.protocol.jsonmap.lines import attr, child, text
from xmpp_rest.protocol.jsonmap.plan import MappingPlan, Object, clark
from xmpp_rest.protocol.jsonmap.scalars import STRING, Scalar, write_number
from xmpp_rest.protocol.namespaces import STANZA_ERRORS
from xmpp_rest.protocol.stanza import condition_in

_ERROR = MappingPlan((attr("type"), attr("by"), child("text", STANZA_ERRORS)))
_ADDRESSING = MappingPlan(ADDRESSING)
_PLANS = {kind: MappingPlan(lines) for kind, lines in ERROR_TABLES.items()}


def _write_code(value: Any) -> str | None:
    return STRING.write(value) if isinstance(value, str) else write_number(value)


_CODE = Scalar("string or number", STRING.read, _write_code)
_OLDER = MappingPlan((text("body"), attr("error_code", _CODE, "code")))


def read_error(stanza: Element) -> Object:
    """The object for a stanza of type error: the fields of the tables, and `error`."""
    obj = _PLANS[stanza.tag].read(stanza, {"kind": stanza.tag})
    error = stanza.find("error")
    obj["error"] = {} if error is None else _ERROR.read(error, {"condition": condition_in(error, STANZA_ERRORS)})
    return obj


def write_error(stanza: Element, obj: Object) -> None:
    """Fill the empty stanza from an object with an `error` object: its address and the error, nothing else. Raises MappingError."""
    _ADDRESSING.write(stanza, obj)
    stanza.set("type", "error")
    with within("error"):
        _write(SubElement(stanza, "error"), obj["error"], stanza.get("from"))


def _write(element: Element, error: Object, sender: str | None) -> None:
    condition = error.get("condition")
    if not isinstance(condition, str) or not is_ncname(condition):
        raise MappingError("give the name of a stanza error condition, such as 'item-not-found'", "condition")
    SubElement(element, clark(STANZA_ERRORS, condition))
    _ERROR.write(element, error)
    if sender is not None and element.get("by") == sender:
        del element.attrib["by"]


def write_older_error(stanza: Element, obj: Object) -> None:
    """Add the `<error>` of an object of type error without an `error` object: `body` is its text, `error_code` its code."""
    _OLDER.write(SubElement(stanza, "error"), obj)
