"""Data forms, service discovery and commands, read and written (json-mapping §6)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.jsonmap import MappingError, decode, encode
from xmpp_rest.protocol.parse import parse_text

from . import compare

FORM = "jabber:x:data"
INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
COMMANDS = "http://jabber.org/protocol/commands"


def read(kind: str, xml: str) -> dict[str, Any]:
    obj = decode(parse_text(f"<{kind} type='t'>{xml}</{kind}>"))
    return {k: v for k, v in obj.items() if k not in ("kind", "type")}


def writes(kind: str, obj: dict[str, Any], xml: str, type_: str = "t") -> None:
    wanted = parse_text(f"<{kind} type='{type_}'>{xml}</{kind}>")
    assert compare.xml(encode({"kind": kind, "type": type_, **obj})) == compare.xml(wanted)


def field(type_: str, *values: str) -> str:
    kind = f" type='{type_}'" if type_ else ""
    return f"<field var='f'{kind}>" + "".join(f"<value>{v}</value>" for v in values) + "</field>"


FULL_VALUES = [
    ("", ["1", "2"], {"value": "1"}),
    ("text-single", [], {}),
    ("boolean", ["1"], {"value": "1"}),
    ("hidden", ["x"], {"value": "x"}),
    ("text-multi", ["a", "b"], {"value": "a\nb"}),
    ("text-multi", [], {"value": ""}),
    ("jid-multi", ["a", "b"], {"value": ["a", "b"]}),
    ("jid-multi", [], {"value": []}),
    ("list-multi", ["a"], {"value": ["a"], "options": []}),
    ("list-single", ["a", "b"], {"value": "a", "options": []}),
    ("list-single", [], {"options": []}),
]


@pytest.mark.parametrize(("type_", "values", "members"), FULL_VALUES)
def test_full_form_reads(type_: str, values: list[str], members: dict[str, Any]) -> None:
    typed = {"type": type_} if type_ else {}
    form = read("message", f"<x xmlns='{FORM}'>{field(type_, *values)}</x>")["dataform"]
    assert form == {"fields": [{"var": "f", **typed, **members}]}


def test_full_form_without_anything() -> None:
    assert read("iq", f"<x xmlns='{FORM}' type='cancel'/>") == {"dataform": {"type": "cancel", "fields": []}}


def test_full_form_reads_options_of_lists_only() -> None:
    option = "<option label='L'><value>1</value></option>"
    form = f"<x xmlns='{FORM}'><field type='text-single'>{option}</field><field type='list-single'>{option}</field></x>"
    assert read("message", form)["dataform"]["fields"] == [
        {"type": "text-single"},
        {"type": "list-single", "options": [{"label": "L", "value": "1"}]},
    ]


def test_reported_fields_and_items_are_not_read() -> None:
    form = f"<x xmlns='{FORM}' type='result'><reported><field var='a'/></reported><item><field var='a'/></item></x>"
    assert read("message", form) == {"dataform": {"type": "result", "fields": []}}


FULL_WRITES = [
    ({"var": "f", "value": "a\nb", "type": "text-multi"}, "<field var='f' type='text-multi'><value>a\nb</value></field>"),
    ({"var": "f", "value": ["a", "b"]}, field("", "a", "b")),
    ({"var": "f", "value": ["a", 5]}, "<field var='f'><value>a</value><value/></field>"),
    ({"var": "f", "value": 5}, "<field var='f'/>"),
    ({"var": "f", "value": True}, "<field var='f'/>"),
    ({"var": "f", "values": ["not of this shape"]}, "<field var='f'/>"),
    ({"var": 5, "required": "true", "desc": 5}, "<field><desc/></field>"),
    ({"options": [{"value": "1"}, {"label": "l"}]}, "<field><option><value>1</value></option><option label='l'/></field>"),
    ({}, "<field/>"),
]


@pytest.mark.parametrize(("member", "xml"), FULL_WRITES)
def test_full_form_writes(member: dict[str, Any], xml: str) -> None:
    writes("message", {"dataform": {"fields": [member]}}, f"<x xmlns='{FORM}'>{xml}</x>")


BAD_FORMS = [
    ({"dataform": "x"}, "dataform"),
    ({"dataform": None}, "dataform"),
    ({"dataform": []}, "dataform"),
    ({"dataform": {"fields": "x"}}, "dataform.fields"),
    ({"dataform": {"fields": {"a": 1}}}, "dataform.fields"),
    ({"dataform": {"fields": [{}, "x"]}}, r"dataform.fields[1]"),
    ({"dataform": {"fields": [{"value": ["a", "\u0007"]}]}}, "dataform.fields[0].value[1]"),
    ({"command": {"form": 5}}, "command.form"),
    ({"command": {"form": None}}, "command.form"),
    ({"command": {"data": {"k": "\u0000"}}}, "command.data.k[0]"),
    *((obj, "command") for obj in [{"command": None}, {"command": 5}, {"command": True}, {"command": ["x"]}]),
    ({"formdata": {"\u0001": "x"}}, "formdata.\u0001"),
    ({"disco": {"extensions": {"urn:example:a": {"k": "\ufffe"}}}}, "disco.extensions.urn:example:a.k[0]"),
    ({"disco": {"features": ["a", "\u0000"]}}, "disco.features[1]"),
    ({"disco": "\u0000"}, "disco"),
    ({"items": ["a", {"node": "\u0000"}]}, "items[1].node"),
    ({"archive": {"form": {"fields": [{"values": ["\u0000"]}]}}}, "archive.form.fields[0].values[0]"),
]


@pytest.mark.parametrize(("obj", "where"), BAD_FORMS)
def test_the_error_says_where(obj: dict[str, Any], where: str) -> None:
    with pytest.raises(MappingError) as caught:
        encode({"kind": "iq", **obj})
    assert caught.value.field == where
    assert str(caught.value).startswith(f"'{where}': ")


DATA = [
    ("", ["1", "2"], ["1", "2"]),
    ("", [], []),
    ("list-single", ["1"], ["1"]),
    ("list-multi", ["1"], ["1"]),
    ("text-multi", ["a", "b"], "a\nb"),
    ("text-multi", [], ""),
    ("boolean", ["1"], True),
    ("boolean", ["true"], True),
    ("boolean", ["0"], False),
    ("boolean", ["yes"], False),
    ("boolean", [], False),
    ("text-single", ["a", "b"], "a"),
    ("hidden", ["a"], "a"),
    ("jid-multi", ["a", "b"], "a"),
    ("jid-single", [], None),
]


@pytest.mark.parametrize(("type_", "values", "value"), DATA)
def test_form_data_reads(type_: str, values: list[str], value: Any) -> None:
    assert read("message", f"<form xmlns='{FORM}'>{field(type_, *values)}<field/></form>") == {"formdata": {"f": value}}


def test_form_data_is_the_first_stranger_in_the_namespace() -> None:
    xml = f"<a xmlns='{FORM}'><field var='a'/></a><x xmlns='{FORM}'/><b xmlns='{FORM}'/>"
    assert read("message", xml) == {"formdata": {"a": []}, "dataform": {"fields": []}}


DATA_WRITES = [
    ({"f": "a"}, field("", "a")),
    ({"f": ["a", "b"]}, field("", "a", "b")),
    *((data, field("")) for data in [{"f": []}, {"f": True}, {"f": None}, {"f": 5}, {"f": {"a": "b"}}]),
    ({"f": ["a", 5]}, "<field var='f'><value>a</value><value/></field>"),
    ({"": "a"}, "<field var=''><value>a</value></field>"),
    ({}, ""),
]


@pytest.mark.parametrize(("data", "xml"), DATA_WRITES)
def test_form_data_writes(data: dict[str, Any], xml: str) -> None:
    writes("presence", {"formdata": data}, f"<x xmlns='{FORM}'>{xml}</x>")
    writes("iq", {"command": {"data": data}}, f"<command xmlns='{COMMANDS}'><x xmlns='{FORM}'>{xml}</x></command>")


INFO_READS = [
    ("", "", True),
    (" node='n'", "", "n"),
    (" node=''", "", ""),
    (" node='n'", "<feature/>", {"node": "n", "identities": [], "features": []}),
    ("", "<identity type='im'/><identity category='server'/>", {"identities": [], "features": []}),
    ("", "<other/>", {"identities": [], "features": []}),
    ("", f"<x xmlns='{FORM}'><field var='a'/></x>", {"identities": [], "features": []}),
    ("", f"<x xmlns='{FORM}'><field var='FORM_TYPE' type='boolean'/></x>", {"identities": [], "features": []}),
    (
        "",
        f"<x xmlns='{FORM}'><field var='FORM_TYPE' type='hidden'><value>t</value></field>{field('boolean', '1')}</x>",
        {"identities": [], "features": [], "extensions": {"t": {"f": True}}},
    ),
]


@pytest.mark.parametrize(("attributes", "children", "value"), INFO_READS)
def test_disco_reads(attributes: str, children: str, value: Any) -> None:
    assert read("iq", f"<query xmlns='{INFO}'{attributes}>{children}</query>") == {"disco": value}


INFO_WRITES: list[Any] = [
    *((value, "", "") for value in list[Any]([True, False, None, 5, [], ["x"], {}])),
    ("n", " node='n'", ""),
    ("", " node=''", ""),
    ({"node": 5, "identities": None, "features": {}, "extensions": ["x"]}, "", ""),
    ({"features": ["a", 5]}, "", "<feature var='a'/><feature/>"),
    ({"identities": [{"category": "c", "other": "x"}]}, "", "<identity category='c'/>"),
    (
        {"extensions": {"t": {"FORM_TYPE": "ignored"}, "u": None}},
        "",
        "".join(f"<x xmlns='{FORM}'><field var='FORM_TYPE'><value>{t}</value></field></x>" for t in "tu"),
    ),
]


@pytest.mark.parametrize(("value", "attributes", "children"), INFO_WRITES)
def test_disco_writes(value: Any, attributes: str, children: str) -> None:
    writes("iq", {"disco": value}, f"<query xmlns='{INFO}'{attributes}>{children}</query>")


ITEMS_READS = [
    ("", "", True),
    (" node='n'", "", "n"),
    (" node='n'", "<item jid='j'/><item name='N'/>", [{"jid": "j"}, {"name": "N"}]),
    ("", "<set xmlns='http://jabber.org/protocol/rsm'/>", []),
]


@pytest.mark.parametrize(("attributes", "children", "value"), ITEMS_READS)
def test_items_read(attributes: str, children: str, value: Any) -> None:
    assert read("iq", f"<query xmlns='{ITEMS}'{attributes}>{children}</query>") == {"items": value}


ITEMS_WRITES = [
    *((value, "", "") for value in list[Any]([True, False, None, 5, [], {}, [5, None]])),
    ("n", " node='n'", ""),
    ({"node": "n", "jid": "ignored"}, " node='n'", ""),
    (["j", {"jid": "k", "node": "n", "name": "N"}, {}], "", "<item jid='j'/><item jid='k' node='n' name='N'/><item/>"),
]


@pytest.mark.parametrize(("value", "attributes", "children"), ITEMS_WRITES)
def test_items_write(value: Any, attributes: str, children: str) -> None:
    writes("iq", {"items": value}, f"<query xmlns='{ITEMS}'{attributes}>{children}</query>")


NOTE = {"note": {"type": "info", "text": "t"}}
NOTE_XML = "<note type='info'>t</note>"
COMMAND_WRITES = [
    ("n", " node='n'", ""),
    ({}, "", ""),
    ({**NOTE, "actions": {"execute": "next", "next": True, "prev": False}}, "", "<actions execute='next'><next/></actions>"),
    ({**NOTE, "actions": {}}, "", "<actions/>"),
    ({**NOTE, "actions": False}, "", NOTE_XML),
    ({"actions": 5}, "", "<actions/>"),
    ({"form": {"type": "submit"}, "data": {"k": "v"}}, "", f"<x xmlns='{FORM}' type='submit'/>"),
    ({"form": False, "data": {}}, "", f"<x xmlns='{FORM}'/>"),
    ({"data": "x"}, "", f"<x xmlns='{FORM}'/>"),
]


@pytest.mark.parametrize(("value", "attributes", "children"), COMMAND_WRITES)
def test_command_writes(value: Any, attributes: str, children: str) -> None:
    writes("iq", {"command": value}, f"<command xmlns='{COMMANDS}'{attributes}>{children}</command>")


def test_command_reads_no_note_beside_actions() -> None:
    xml = f"<command xmlns='{COMMANDS}'>{NOTE_XML}<actions/></command>"
    assert read("iq", xml) == {"command": {"actions": {}}}
