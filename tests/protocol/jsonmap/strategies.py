"""Hypothesis strategies for objects and stanzas, valid by the tables and invalid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element

from hypothesis import strategies as st

from xmpp_rest.protocol.jsonmap.content import AttributeContent, FieldContent, ItemsContent, ObjectContent, TextContent
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.kinds import KIND_OF_FIELD
from xmpp_rest.protocol.jsonmap.lines import Attribute, ChildLine, ChildName, Flag, Many, One, OwnText
from xmpp_rest.protocol.jsonmap.plan import MappingLine, clark
from xmpp_rest.protocol.jsonmap.scalars import ADDRESS, BOOLEAN, INTEGER, NUMBER, Scalar, forbidden
from xmpp_rest.protocol.namespaces import CLIENT, DATA_FORMS

KINDS = st.sampled_from(sorted(TABLES))
TEXT = st.text(max_size=8).filter(lambda text: not forbidden(text))
VALUES: dict[Scalar, st.SearchStrategy[Any]] = {
    INTEGER: st.integers(-(2**63), 2**63 - 1),
    NUMBER: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
    BOOLEAN: st.booleans(),
    ADDRESS: st.sampled_from(["capulet.example", "juliet@capulet.example", "romeo@montague.example/orchard é"]),
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FORM_DATA = st.dictionaries(TEXT, st.lists(TEXT, max_size=3), max_size=3)
FULL_FIELD = st.fixed_dictionaries({}, optional={"var": TEXT, "label": TEXT, "desc": TEXT, "required": st.just(True)})
FULL_FORM = st.fixed_dictionaries(
    {
        "fields": st.lists(
            st.builds(lambda f, v: {**f, **v}, FULL_FIELD, st.fixed_dictionaries({"type": st.just("hidden"), "value": TEXT}))
            | st.builds(
                lambda f, v: {**f, **v},
                FULL_FIELD,
                st.fixed_dictionaries(
                    {
                        "type": st.just("list-multi"),
                        "value": st.lists(TEXT, max_size=2),
                        "options": st.lists(st.fixed_dictionaries({}, optional={"label": TEXT, "value": TEXT}), max_size=2),
                    }
                ),
            ),
            max_size=3,
        )
    },
    optional={"type": TEXT, "title": TEXT, "instructions": TEXT},
)
IDENTITY = st.fixed_dictionaries({"category": TEXT, "type": TEXT}, optional={"name": TEXT})
INFO = st.fixed_dictionaries({"identities": st.lists(IDENTITY, min_size=1, max_size=2), "features": st.lists(TEXT, max_size=2)})
ITEM = st.fixed_dictionaries({}, optional={"jid": TEXT, "node": TEXT, "name": TEXT})
COMMAND = st.fixed_dictionaries({"form": FULL_FORM}, optional={"node": TEXT, "action": TEXT, "note": st.just({"text": "t"})})
OWN: dict[str, st.SearchStrategy[Any]] = {  # of the hand-written fields, those that come back as they went
    "payload": st.fixed_dictionaries({"data": JSON}, optional={"datatype": TEXT}),
    "dataform": FULL_FORM,
    "disco": st.just(True) | TEXT | INFO,
    "items": st.just(True) | TEXT | st.lists(ITEM, min_size=1, max_size=2),
    "command": COMMAND,
    "html": st.sampled_from(["<body/>", "<body><p>a</p> b</body>"]),
}


def _content(content: FieldContent) -> st.SearchStrategy[Any]:
    if isinstance(content, TextContent | AttributeContent):
        return VALUES.get(content.scalar, TEXT)
    if isinstance(content, ItemsContent):
        return st.lists(_content(content.content), max_size=2)
    assert isinstance(content, ObjectContent)
    lines = content.lines() if callable(content.lines) else content.lines
    return st.deferred(lambda: fields(lines))


def _value(line: MappingLine) -> st.SearchStrategy[Any]:
    match line:
        case Attribute(scalar=scalar) | OwnText(scalar=scalar):
            return VALUES.get(scalar, TEXT)
        case Flag():
            return st.just(True)
        case ChildName(names=names):
            return st.sampled_from(names)
        case Many(content=content):
            return st.lists(_content(content), min_size=1, max_size=2)
        case One(mapping="own", name=name):
            return OWN[name]
        case One(content=content):
            return _content(content)
    raise AssertionError(line)


def fields(lines: Iterable[MappingLine]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that the table reads as they were written."""
    lines = tuple(lines)
    always = {line.name: VALUES.get(line.scalar, TEXT) for line in lines if isinstance(line, OwnText)}  # an empty element has text ""
    left_out = ("oob", "oob_url", "formdata")  # read twice, or under another name
    optional = {line.name: _value(line) for line in lines if line.name not in (*always, *left_out)}
    chosen = st.sets(st.sampled_from(sorted(optional)), max_size=4) if optional else st.just(set())
    return chosen.flatmap(lambda names: st.fixed_dictionaries({**always, **{n: optional[n] for n in sorted(names)}}))


@st.composite
def stanza_objects(draw: st.DrawFn) -> dict[str, Any]:
    """Objects for a stanza that come back as they went."""
    kind = draw(KINDS)
    return {**draw(fields(TABLES[kind])), "kind": kind, "type": draw(st.sampled_from(["get", "chat", "probe", "result"]))}


def _names(lines: Iterable[MappingLine], namespace: str, depth: int) -> Iterable[tuple[str, str]]:
    """(field, tag or attribute) of the tables, a few levels down."""
    for line in lines:
        if isinstance(line, ChildLine):
            own = line.namespace or namespace
            yield line.name, clark(own, line.tag or line.name)
            content = getattr(line, "content", None)
            inner = content.lines if isinstance(content, ObjectContent) else ()
            yield from _names(inner() if callable(inner) else inner, own, depth - 1) if depth else ()
        elif isinstance(line, Attribute):
            yield line.name, line.attribute


_PAIRS = [pair for lines in TABLES.values() for pair in _names(lines, CLIENT, 3)]
_FORM_PARTS = ["x", "form", "field", "value", "option", "title"]
TAGS = st.sampled_from(
    sorted({tag for _, tag in _PAIRS} | {clark(DATA_FORMS, name) for name in _FORM_PARTS} | {"error", "message"})
)
ATTRIBUTES = st.sampled_from(
    sorted({tag for _, tag in _PAIRS if not tag.startswith("{")} | {"var", "stamp", "since", "category"})
)
_FURTHER = {"kind", "error", "condition", "error_code", "data", "value", "execute", "with", "max", "ids"}
FIELDS = st.sampled_from(sorted({name for name, _ in _PAIRS} | set(KIND_OF_FIELD) | _FURTHER))

HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["chat", "5", "a@b", "get", "error"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@st.composite
def elements(draw: st.DrawFn, tags: st.SearchStrategy[str] = TAGS, depth: int = 4) -> Element:
    """Elements with the names of the tables in any disorder."""
    element = Element(draw(tags), draw(st.dictionaries(ATTRIBUTES, TEXT | st.sampled_from(["hidden", "error", "5"]), max_size=3)))
    element.text = draw(st.none() | TEXT)
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        element.append(draw(elements(TAGS, depth - 1)))
    return element
