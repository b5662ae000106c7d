"""Arguments and results of remote calls come out of JSON as they went in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import pytest

from xmpp_rest.errors import ERRORS, GatewayError, Row
from xmpp_rest.processes.codec import Signature, ValueCodecs
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.waits import Wait

JULIET = JID("juliet", "capulet.example", "balcony")


class Change(NamedTuple):
    user: JID
    word: str = "member"


@dataclass
class Outcome:
    state: str
    changes: list[Change]


class Spelt:
    """Says itself how it is carried."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spelt) and other.text == self.text

    __hash__ = None  # type: ignore[assignment]  # nobody needs it

    def to_json(self) -> list[str]:
        return list(self.text)

    @classmethod
    def from_json(cls, letters: list[str]) -> Spelt:
        return cls("".join(letters))


def known(error: Exception) -> GatewayError:
    return error if isinstance(error, GatewayError) else GatewayError("internal")


CODECS = ValueCodecs(known)


@pytest.mark.parametrize(
    ("hint", "value", "written"),
    [
        (int, 7, 7),
        (Any, {"a": [1, None]}, {"a": [1, None]}),
        (None, None, None),
        (JID, JULIET, "juliet@capulet.example/balcony"),
        (JID | None, None, None),
        (JID | None, JULIET, str(JULIET)),
        (list[JID], [JULIET], [str(JULIET)]),
        (Sequence[Change], [Change(JULIET)], [[str(JULIET), "member"]]),
        (Mapping[str, JID], {"a": JULIET}, {"a": str(JULIET)}),
        (dict[str, list[str]], {"a": ["b"]}, {"a": ["b"]}),
        (tuple[str, JID], ("a", JULIET), ["a", str(JULIET)]),
        (Outcome, Outcome("refused", [Change(JULIET, "none")]), ["refused", [[str(JULIET), "none"]]]),
        (Spelt, Spelt("ab"), ["a", "b"]),
        (list[Spelt | Exception | None], [Spelt("a"), None], [["a"], None]),
        (Wait, Wait(2.5), 2.5),
    ],
)
def test_values(hint: Any, value: Any, written: Any) -> None:
    codec = CODECS.of(hint)
    assert codec.to_json(value) == written
    assert codec.from_json(json.loads(json.dumps(written))) == value


def test_elements() -> None:
    codec = CODECS.of(tuple[Element, list[Element]])
    message = Element("message", {"to": str(JULIET)})
    answer, (first,) = codec.from_json(json.loads(json.dumps(codec.to_json((message, [message])))))
    assert serialise(answer) == serialise(first) == serialise(message)
    with pytest.raises(BadXML):
        CODECS.of(Element).to_json(Element("message", {"to": "\x01"}))


@pytest.mark.parametrize(("error", "name"), [(GatewayError("room-full", "full"), "room-full"), (ZeroDivisionError(), "internal")])
def test_exceptions_among_results(error: Exception, name: str) -> None:
    codec = CODECS.of(list[JID | Exception])
    one, other = codec.from_json(json.loads(json.dumps(codec.to_json([error, JULIET]))))
    assert isinstance(one, GatewayError)
    assert (one.name, one.text) == (name, known(error).text)
    assert other == JULIET


def test_an_exception_keeps_what_is_its_own() -> None:
    codec = CODECS.of(JID | Exception | None)
    given = GatewayError("room-full", "full", Row(409, "wait", "conflict", "x"), "garden@conference.example", 2.5)
    carried = codec.from_json(json.loads(json.dumps(codec.to_json(given))))
    assert (carried.row, carried.by, carried.given_retry_after, carried.retry_after) == (given.row, given.by, 2.5, 3)
    later = codec.from_json(json.loads(json.dumps(codec.to_json(GatewayError("unreachable", "later", retry_after=0.1)))))
    assert (later.row, later.by, later.retry_after) == (ERRORS["unreachable"], "", 1)


@pytest.mark.parametrize("hint", [object, bytes, set[str], JID | Element])
def test_what_cannot_be_carried(hint: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        CODECS.of(hint)


def test_arguments_by_name() -> None:
    def join(user: JID, nick: str = "", *, wait: Wait | None = None) -> list[JID]:
        return [user]

    signature = Signature(join, CODECS)
    given = signature.bind((JULIET,), {"wait": Wait(1.0)})
    assert signature.to_json(given) == {"user": str(JULIET), "wait": 1.0}
    assert signature.from_json(signature.to_json(given)) == {"user": JULIET, "wait": Wait(1.0)}
    with pytest.raises(TypeError):
        signature.bind((), {})
