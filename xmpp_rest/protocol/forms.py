"""Data forms: fields and their values (XEP-0004 §3)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.namespaces import DATA_FORMS
from xmpp_rest.protocol.stanza import child, make

FORM = f"{{{DATA_FORMS}}}"


def field(*values: str, **attributes: str) -> Element:
    """A field with these values; an attribute that is "" is left out."""
    return make(f"{FORM}field", *(child(f"{FORM}value", value) for value in values), **attributes)


def read_form(form: Element) -> dict[str, list[str]]:
    """The values of each field of a form."""
    return {f.get("var", ""): [v.text or "" for v in f.findall(f"{FORM}value")] for f in form.findall(f"{FORM}field")}
