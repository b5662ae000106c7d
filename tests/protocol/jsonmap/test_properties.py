"""Properties of the mapping: round trips, and no exceptions but the documented ones for any input."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from xml.etree.ElementTree import Element

from hypothesis import HealthCheck, given, settings

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.flat import form_decode, form_encode
from xmpp_rest.protocol.jsonmap import MappingError, Unmappable, decode, encode
from xmpp_rest.protocol.jsonmap.scalars import NUMBER, read_number, write_number
from xmpp_rest.protocol.parse import parse_text

from . import compare
from .strategies import HOSTILE, KINDS, VALUES, elements, stanza_objects

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def stripped(element: Element) -> Element:
    """A copy as it comes off the wire."""
    return parse_text(serialise(element))


@RELAXED
@given(stanza_objects())
def test_an_object_comes_back(obj: dict[str, Any]) -> None:
    stanza = encode(obj)
    assert decode(stripped(stanza)) == obj
    assert compare.xml(encode(decode(stanza))) == compare.xml(stanza)


@RELAXED
@given(HOSTILE)
def test_any_json_makes_a_stanza_or_a_mapping_error(value: Any) -> None:
    before = repr(value)
    try:
        stanza = encode(value)
    except MappingError:
        return
    finally:
        assert repr(value) == before
    again = stripped(stanza)  # so the text is well-formed
    try:
        json.dumps(decode(again), allow_nan=False)
    except Unmappable:
        assert again.find(".//{urn:xmpp:json-msg:0}payload") is not None


@RELAXED
@given(elements(KINDS))
def test_any_stanza_makes_json_or_is_unmappable(stanza: Element) -> None:
    try:
        obj = decode(stanza)
    except Unmappable:
        assert stanza.find(".//{urn:xmpp:json-msg:0}payload") is not None
        return
    assert json.loads(json.dumps(obj, allow_nan=False)) == obj
    form_encode(obj)
    with suppress(MappingError):  # a fraction where an integer is due, an error without condition
        assert encode(obj).tag == stanza.tag


@given(VALUES[NUMBER])
def test_a_number_comes_back(number: float) -> None:
    text = write_number(number)
    assert text is not None
    assert read_number(text) == number


@RELAXED
@given(stanza_objects())
def test_the_flat_part_comes_back_from_a_form(obj: dict[str, Any]) -> None:
    flat = {k: v for k, v in obj.items() if isinstance(v, str)}
    assert {k: v for k, v in form_decode(form_encode(obj)).items() if k in flat} == flat
