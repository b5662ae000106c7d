"""Optional elements of sent messages (client-api §11: those that other servers of this API only read).

What is not text does not count, and is not an error: those servers pass over these keys.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.scalars import forbidden
from xmpp_rest.protocol.namespaces import PROPERTIES
from xmpp_rest.protocol.stanza import child

_PROPERTIES = f"{{{PROPERTIES}}}"


def extensions(fields: dict[str, Any]) -> list[Element]:
    """`<thread/>` for `thread` and `parent`, and Smack's `<properties/>` for `properties`."""
    return [*_thread(fields), *_properties(fields.get("properties"))]


def _checked_text(value: Any) -> str:
    return value if isinstance(value, str) and not forbidden(value) else ""


def _thread(fields: dict[str, Any]) -> list[Element]:
    thread, parent = _checked_text(fields.get("thread")), _checked_text(fields.get("parent"))
    return [child("thread", thread, **({"parent": parent} if parent else {}))] if thread else []


def _properties(values: Any) -> list[Element]:
    if not isinstance(values, dict):
        return []
    properties = child(f"{_PROPERTIES}properties")
    for name, value in values.items():
        if _checked_text(name) and isinstance(value, str) and not forbidden(value):
            row = child(f"{_PROPERTIES}property")
            row.extend((child(f"{_PROPERTIES}name", name), child(f"{_PROPERTIES}value", value, type="string")))
            properties.append(row)
    return [properties]
