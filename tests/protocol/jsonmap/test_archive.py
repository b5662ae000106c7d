"""Short forms of an archive query (json-mapping §5)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.jsonmap import MappingError, encode
from xmpp_rest.protocol.parse import parse_text

from . import compare

FORM = "jabber:x:data"


def writes(archive: dict[str, Any], xml: str, type_: str) -> None:
    wanted = parse_text(f"<iq type='{type_}'><query xmlns='urn:xmpp:mam:2'>{xml}</query></iq>")
    assert compare.xml(encode({"kind": "iq", "type": type_, "archive": archive})) == compare.xml(wanted)


def shortcut_form(**values: str) -> str:
    names = ("with", "start", "end", "before-id", "after-id", "ids")
    fields = "".join(f"<field var='{n}'>{values.get(n.replace('-', '_'), '')}</field>" for n in names)
    form_type = "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
    return f"<x xmlns='{FORM}' type='submit'>{form_type}{fields}</x>"


def page(xml: str) -> str:
    return f"<set xmlns='http://jabber.org/protocol/rsm'>{xml}</set>"


SHORTCUTS = [
    ({"with": "a@example.com"}, shortcut_form(**{"with": "<value>a@example.com</value>"})),
    ({"start": ""}, shortcut_form(start="<value/>")),
    ({"end": 5}, shortcut_form(end="<value/>")),
    ({"before-id": "b", "after-id": "a"}, shortcut_form(before_id="<value>b</value>", after_id="<value>a</value>")),
    ({"ids": ["x", "y"]}, shortcut_form(ids="<value>x</value><value>y</value>")),
    ({"ids": "x,y,"}, shortcut_form(ids="<value>x</value><value>y</value>")),
    ({"ids": ""}, shortcut_form()),
    ({"ids": 5}, shortcut_form()),
    ({"with": False}, ""),
    ({"max": 5}, page("<max>5</max>")),
    ({"max": "5", "after": "a", "before": ""}, page("<max>5</max><after>a</after><before/>")),
    ({"max": "many", "before": ""}, page("<before/>")),
    ({"max": 5, "page": {"index": 1}}, page("<max>5</max>")),
    ({"page": {"index": 1}}, page("<index>1</index>")),
    ({"form": {"type": "submit"}, "with": "a", "max": 5}, f"<x xmlns='{FORM}' type='submit'/>"),
    ({"form": False, "max": 5}, page("<max>5</max>")),
    ({}, ""),
]


@pytest.mark.parametrize(("archive", "xml"), SHORTCUTS)
def test_archive_shortcuts(archive: dict[str, Any], xml: str) -> None:
    writes(archive, xml, "set")


@pytest.mark.parametrize("type_", ["get", "result"])
def test_no_shortcuts_but_in_a_set(type_: str) -> None:
    writes({"with": "a", "max": 5}, "", type_)


@pytest.mark.parametrize(
    ("name", "value"), [("with", "\u0007"), ("before", "\ud800"), ("max", 5.5), ("max", "0.5"), ("ids", "a,\u0000")]
)
def test_the_error_names_the_short_form(name: str, value: Any) -> None:
    with pytest.raises(MappingError) as caught:
        encode({"archive": {name: value}})
    assert caught.value.field == f"archive.{name}"
