"""Conversion of stanzas between XML text and the tables that Prosody stores.

An element is `{"name": …, "attr": {…}, "__array": [children]}`: text is str, a child element a table. `attr.xmlns` is the
namespace, given unless it is `jabber:client` in all ancestors; an attribute of another namespace has the key
*namespace* U+0001 *name* (in old files `|`).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NoReturn
from xml.parsers import expat

from drivers import BadValue, StorageError

CLIENT = "jabber:client"
XML = "http://www.w3.org/XML/1998/namespace"
MAX_DEPTH = 125
"""Nested elements; their tables fit into the 127 levels of Prosody's serialiser."""
ATTRIBUTE = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
TEXT = {sign: entity for sign, entity in ATTRIBUTE.items() if sign not in "\n\t"}
FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2
UNUSUAL = ("<!", "<?", "\0")  # comments, CDATA, document types, declarations; what Expat takes for UTF-16
NAME = re.compile(r"(xml:)?[^\W\d][\w.\-]*")


class _StanzaReader:
    """Builds the table of one element."""

    def __init__(self) -> None:
        self.stack: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None
        self.foreign = 0  # depth below the first element that is not in jabber:client
        self.parser = parser = expat.ParserCreate(namespace_separator="\x01")
        parser.buffer_text = True
        # a default namespace around the text distinguishes "undeclared" from `xmlns=""`
        parser.Parse(f"<stanza xmlns='{CLIENT}'>")
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.CommentHandler = parser.ProcessingInstructionHandler = self.restricted

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.stack) == MAX_DEPTH:
            raise BadValue(f"a stanza must not nest its elements more than {MAX_DEPTH} deep")
        if self.result is not None and not self.stack:
            raise BadValue("a stanza is one element; there is another one after it")
        namespace, _, local = name.rpartition("\x01")
        attr = {_attribute(key): value for key, value in attributes.items()}
        if self.foreign or namespace != CLIENT:
            attr["xmlns"] = namespace
            self.foreign += 1
        element = {"name": local, "attr": attr}
        if self.stack:
            self.stack[-1].setdefault("__array", []).append(element)
        else:
            self.result = element
        self.stack.append(element)

    def end(self, _name: str) -> None:
        if not self.stack:
            return
        self.stack.pop()
        self.foreign = max(0, self.foreign - 1)

    def text(self, data: str) -> None:
        if self.stack:
            self.stack[-1].setdefault("__array", []).append(data)
        elif data.strip():
            raise BadValue("a stanza is one element; there is text outside it")

    def restricted(self, *_: str) -> NoReturn:
        raise BadValue("a stanza must not contain comments or processing instructions (RFC 6120 §11.1)")


def _attribute(key: str) -> str:
    namespace, _, local = key.rpartition("\x01")
    return f"xml:{local}" if namespace == XML else key


def stanza_table(text: str) -> dict[str, Any]:
    """The table of one element. Raises BadValue unless `text` is one without anything that XMPP forbids."""
    reader = _StanzaReader()
    try:
        reader.parser.Parse(text.encode())
        if reader.result is None or reader.stack:
            raise BadValue("a stanza is one whole element")
        reader.parser.Parse(b"</stanza>", True)
    except (expat.ExpatError, UnicodeEncodeError) as e:
        raise BadValue(f"a stanza must be well-formed XML: {e}") from e
    return reader.result


def check_stanza(text: str) -> None:
    """Raise BadValue where `stanza_table` does. An ordinary stanza costs a quarter: nothing in Python is called for its parts."""
    if text.startswith("<") and text.count("<") <= MAX_DEPTH and not any(sign in text for sign in UNUSUAL):
        with suppress(expat.ExpatError, UnicodeEncodeError):  # whose sentence is found below
            expat.ParserCreate(namespace_separator="\x01").Parse(text.encode(), True)
            return
    stanza_table(text)


def stanza_text(table: Any) -> str:
    """XML text of an element's table. Raises StorageError if the table is not an element."""
    parts: list[str] = []
    _write(table, CLIENT, parts)
    return "".join(parts)


def _write(table: Any, inherited: str, parts: list[str]) -> None:
    name, attr, children = _element(table)
    namespace = str(attr.get("xmlns", inherited))
    parts.append("<" + _name(name))
    if namespace != inherited:
        parts.append(f" xmlns='{_escaped(namespace, ATTRIBUTE)}'")
    for i, (key, value) in enumerate(attr.items()):
        if key != "xmlns":
            parts.append(_attribute_text(i, key, value))
    if not children:
        parts.append("/>")
        return
    parts.append(">")
    for child in children:
        if isinstance(child, dict):
            _write(child, namespace, parts)
        else:
            parts.append(_escaped(str(child), TEXT))
    parts.append(f"</{name}>")


def _element(table: Any) -> tuple[str, dict[str, Any], list[Any]]:
    if not isinstance(table, dict):
        raise StorageError("an element is kept as a table with the members name and attr, and here is something else")
    name, attr, children = table.get("name"), table.get("attr", {}), table.get("__array", [])
    if not isinstance(name, str) or not isinstance(attr, dict) or not isinstance(children, list):
        raise StorageError("an element is kept as a table with the members name and attr, and one of them is missing")
    return name, attr, children


def _attribute_text(number: int, key: str, value: Any) -> str:
    quoted = f"'{_escaped(str(value), ATTRIBUTE)}'"
    # COMPAT: files of old servers have | instead of U+0001
    namespace, sign, local = key.rpartition("\x01" if "\x01" in key else "|")
    if not sign:
        return f" {_name(key)}={quoted}"
    return f" xmlns:ns{number}='{_escaped(namespace, ATTRIBUTE)}' ns{number}:{_name(local)}={quoted}"


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise StorageError(f"{name!r} is not a name that an element or attribute can have")
    return name


def _escaped(text: str, signs: dict[str, str]) -> str:
    for sign, entity in signs.items():
        text = text.replace(sign, entity)
    return FORBIDDEN.sub("\ufffd", text)
