"""docs/json-mapping.md agrees with the code: its tables are those of the mapping, and its examples convert as shown.

Where a table changed, the failing test shows the text that belongs between the markers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from xmpp_rest.protocol.jsonmap import decode, encode
from xmpp_rest.protocol.jsonmap.content import AttributeContent, FieldContent, ItemsContent, ObjectContent, TextContent
from xmpp_rest.protocol.jsonmap.fields import IQ, IQ_OWN, MESSAGE, MESSAGE_OWN, PRESENCE, STANZA, TABLES
from xmpp_rest.protocol.jsonmap.forms import FORM
from xmpp_rest.protocol.jsonmap.kinds import KIND_OF_FIELD, KIND_OF_TYPE
from xmpp_rest.protocol.jsonmap.lines import Attribute, ChildLine, ChildName, Flag, Many, One, OwnText
from xmpp_rest.protocol.jsonmap.payload import LINES as PAYLOAD
from xmpp_rest.protocol.jsonmap.plan import MappingLine
from xmpp_rest.protocol.namespaces import XML_LANG
from xmpp_rest.protocol.parse import parse_text

from . import compare

PAGE = (Path(__file__).parents[3] / "docs" / "json-mapping.md").read_text()
OF_ALL_KINDS = tuple(line for line in TABLES["message"] if line in TABLES["iq"] and line not in STANZA)
SHOWN = {
    "stanza": STANZA,
    "all": OF_ALL_KINDS,
    "message": (*MESSAGE, *MESSAGE_OWN),
    "presence": PRESENCE,
    "iq": (*IQ, *IQ_OWN),
    "schema form": FORM,
}
INSIDE = {"payload": PAYLOAD}
ELSEWHERE = {
    "payload.data": "any JSON value",
    "forwarded.message": "fields of a message",
    "archive.forward": "as `forwarded`",
    "archive.form": "schema form, section 6",
    "archive.page": "as `rsm`",
    "result.page": "as `rsm`",
}


def where(line: MappingLine) -> str:
    if isinstance(line, Attribute):
        return "@xml:lang" if line.attribute == XML_LANG else f"@{line.attribute}"
    if isinstance(line, OwnText):
        return "text"
    assert isinstance(line, ChildLine)
    names = line.names if isinstance(line, ChildName) else (line.tag,)
    place = " ".join(f"`<{name}>`" for name in names) + (f" in `{line.namespace}`" if line.namespace else "")
    content = getattr(line, "content", None)
    if isinstance(content, AttributeContent):
        return f"{place}, @{content.attribute}"
    return f"{place}, `<{content.tag}>`" if isinstance(content, ItemsContent) else place


def kind_of(content: FieldContent) -> str:
    if isinstance(content, ObjectContent):
        return "object"
    return content.scalar.name if isinstance(content, TextContent | AttributeContent) else "see section 6"


def type_of(line: MappingLine) -> str:
    match line:
        case Attribute(scalar=scalar) | OwnText(scalar=scalar):
            return scalar.name
        case Flag():
            return "true"
        case ChildName():
            return "string"
        case Many(content=content) | One(content=ItemsContent(content=content)):
            return f"array, {kind_of(content)}"
        case One(name="payload"):
            return "object"
        case One(content=content):
            return kind_of(content)
    raise AssertionError(line)


def inside(line: MappingLine) -> tuple[MappingLine, ...]:
    content = getattr(line, "content", None)
    if isinstance(content, ItemsContent):
        content = content.content
    lines = content.lines if isinstance(content, ObjectContent) else INSIDE.get(line.name, ())
    return lines if isinstance(lines, tuple) else ()


def rows(lines: Iterable[MappingLine], prefix: str = "") -> Iterator[str]:
    for line in lines:
        path = f"{prefix}{line.name}"
        note = ELSEWHERE.get(path)
        yield f"| `{path}` | {where(line)} | {note or type_of(line)} |"
        repeated = "[]" if type_of(line).startswith("array") else ""
        yield from () if note else rows(inside(line), f"{path}{repeated}.")


@pytest.mark.parametrize("name", SHOWN)
def test_table(name: str) -> None:
    table = "\n".join(["| field | where | type |", "| --- | --- | --- |", *rows(SHOWN[name])])
    shown = re.search(f"<!-- table: {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert shown is not None, table
    assert shown[1] == table


EXAMPLES = re.findall(r"```json\n(.*?)```\n+```xml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("obj", "xml"), EXAMPLES)
def test_example(obj: str, xml: str) -> None:
    assert compare.xml(encode(json.loads(obj))) == compare.xml(parse_text(xml))
    assert decode(parse_text(xml)) == decode(encode(json.loads(obj)))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("table", [KIND_OF_TYPE, KIND_OF_FIELD])
def test_implied_kinds(table: dict[str, str]) -> None:
    for kind in ("iq", "message", "presence"):
        names = " ".join(f"`{name}`" for name, implied in table.items() if implied == kind)
        assert f"{names} → {kind}" in PAGE
