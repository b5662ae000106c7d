"""Ad-hoc commands in JSON: the field `command` (XEP-0050; json-mapping §6)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.content import OwnContent
from xmpp_rest.protocol.jsonmap.exceptions import MappingError
from xmpp_rest.protocol.jsonmap.forms import FORM_DATA, FULL_FORM
from xmpp_rest.protocol.jsonmap.lines import attr, flag, obj, own, text
from xmpp_rest.protocol.jsonmap.plan import MappingPlan
from xmpp_rest.protocol.namespaces import COMMANDS, DATA_FORMS

LINES = (
    attr("node"),
    attr("action"),
    attr("sessionid"),
    attr("status"),
    obj("actions", None, "actions", (attr("execute"), flag("next"), flag("prev"), flag("complete"))),
    obj("note", None, "note", (attr("type"), text("text"))),
    own("form", DATA_FORMS, "x", FULL_FORM),
)
DATA = own("data", DATA_FORMS, "x", FORM_DATA)
_READ = MappingPlan(LINES, COMMANDS)
_WRITE = MappingPlan((*LINES, DATA), COMMANDS)

_INSTEAD = {"note": "actions", "data": "form"}  # the first is used only if the second is missing or false


def _to_json(element: Element) -> Any:
    command = _READ.read(element, {})
    if "actions" in command:
        command.pop("note", None)
    return command


def _from_json(element: Element, value: Any) -> None:
    if isinstance(value, str):
        value = {"node": value}
    if not isinstance(value, dict):
        raise MappingError('give an object such as {"node": "uptime", "action": "execute"}, or the node as a string')
    members = {k: v for k, v in value.items() if v is not False}
    _WRITE.write(element, {k: v for k, v in members.items() if _INSTEAD.get(k) not in members})


COMMAND = OwnContent(_to_json, _from_json)
