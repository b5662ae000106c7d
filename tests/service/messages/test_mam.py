"""Queries to an account's archive (XEP-0313, XEP-0059)."""

from __future__ import annotations

import itertools
from typing import NamedTuple
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.threads.waits import Wait

JULIET, NURSE = f"juliet@{DOMAIN}", f"nurse@{DOMAIN}"
ROMEO, PARIS = "romeo@montague.example", "paris@verona.example"
BASE = 1_700_000_000
COUNT = 60
M, R = "{urn:xmpp:mam:2}", "{http://jabber.org/protocol/rsm}"
NUMBERS = itertools.count()


class Answer(NamedTuple):
    """What came back: the iq, and the numbers of the messages in the results."""

    iq: Element
    numbers: list[int]
    results: list[Element]

    @property
    def fin(self) -> Element:
        fin = self.iq.find(f"{M}fin")
        assert fin is not None
        return fin

    def bound(self, name: str) -> str | None:
        return self.fin.findtext(f"{R}set/{R}{name}")


@pytest.fixture
def ids(gateway: Gateway) -> list[str]:
    """Juliet's archive: the even ones with Romeo, the odd ones with Paris, one a second from BASE on."""
    rows = []
    for n in range(COUNT):
        partner = (ROMEO, PARIS)[n % 2]
        text = f"<message from='{partner}/{n % 4}' to='{JULIET}' id='{n}' type='chat'><body>{n}</body></message>"
        rows.append(gateway.driver.archive_append("juliet", DOMAIN, "archive", text, when=BASE + n, with_=partner))
    return rows


def field(name: str, *values: str) -> str:
    return f"<field var='{name}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"


def query(fields: str = "", page: str = "", rest: str = "", attributes: str = "") -> str:
    form = f"<x xmlns='jabber:x:data' type='submit'>{field('FORM_TYPE', 'urn:xmpp:mam:2')}{fields}</x>" if fields else ""
    rsm = f"<set xmlns='http://jabber.org/protocol/rsm'>{page}</set>" if page else ""
    return f"<query xmlns='urn:xmpp:mam:2' queryid='q1' {attributes}>{form}{rsm}{rest}</query>"


def ask(gateway: Gateway, payload: str, *, kind: str = "set", to: str = f"to='{JULIET}'", from_: str = f"{JULIET}/balcony") -> Answer:
    iq = parse_text(f"<iq type='{kind}' from='{from_}' {to} id='i{next(NUMBERS)}'>{payload}</iq>")
    answer, collected = gateway.parts.sending.ask(iq, Wait(5))
    messages = [message.find(f"{M}result/{{urn:xmpp:forward:0}}forwarded/message") for message in collected]
    return Answer(answer, [int(m.get("id", "")) for m in messages if m is not None], collected)


def refused(answer: Answer) -> str:
    assert answer.iq.get("type") == "error"
    assert not answer.results
    return condition_of(answer.iq).condition


@pytest.mark.parametrize(
    ("payload", "expected", "complete"),
    [
        (query(), range(50), False),
        (query(page="<max>3</max>"), range(3), False),
        (query(page="<max>3</max><before/>"), range(57, 60), False),
        (query(page="<max>60</max>"), range(60), True),
        (query(page="<max>1000</max>"), range(60), True),
        (query(page="<max> 2 </max>"), range(2), False),
        (query(field("with", ROMEO), "<max>3</max>"), (0, 2, 4), False),
        (query(field("with", ROMEO), "<max>3</max><before/>"), (54, 56, 58), False),
        (query(field("with", f"{ROMEO}/2"), "<max>3</max><before/>"), (50, 54, 58), False),
        (query(field("with", "Romeo@Montague.Example"), "<max>1</max>"), (0,), False),
        (query(field("with", "nobody@x.example")), (), True),
        (query(field("start", "2023-11-14T22:13:40Z"), "<max>2</max>"), (20, 21), False),
        (query(field("end", "2023-11-14T22:13:21Z")), (0, 1), True),
        (query(field("start", "2023-11-14T23:13:40.5+01:00") + field("end", "2023-11-14T22:13:43Z")), (21, 22, 23), True),
        (query(rest="<flip-page/>", page="<max>3</max>"), (2, 1, 0), False),
        (query(rest="<flip-page/>", page="<max>3</max><before/>"), (59, 58, 57), False),
        (query(page="<max>0</max>"), (), False),
        (query("".join(map(field, ("with", "start", "end", "before-id", "after-id", "ids"))), "<max>3</max>"), range(3), False),
    ],
)
def test_a_page(gateway: Gateway, ids: list[str], payload: str, expected: list[int], complete: bool) -> None:
    answer = ask(gateway, payload)
    assert answer.iq.get("type") == "result"
    assert answer.numbers == list(expected)
    assert answer.fin.get("complete") == ("true" if complete else None)
    shown = sorted(expected)
    assert (answer.bound("first"), answer.bound("last")) == ((ids[shown[0]], ids[shown[-1]]) if shown else (None, None))


def test_by_ids(gateway: Gateway, ids: list[str]) -> None:
    def numbers(fields: str = "", page: str = "") -> list[int]:
        return ask(gateway, query(fields, page)).numbers

    assert numbers(page=f"<max>2</max><after>{ids[10]}</after>") == [11, 12]
    assert numbers(page=f"<max>2</max><before>{ids[10]}</before>") == [8, 9]
    assert numbers(page="<max>2</max><after/>") == [0, 1]
    assert numbers(field("before-id", ids[3])) == [0, 1, 2]
    assert numbers(field("after-id", ids[57])) == [58, 59]
    assert numbers(field("after-id", ids[5]) + field("before-id", ids[9])) == [6, 7, 8]
    assert numbers(field("after-id", ids[5]) + field("before-id", ids[9]), "<max>2</max><before/>") == [7, 8]
    assert numbers(field("after-id", ids[5]) + field("before-id", ids[9]), f"<max>9</max><after>{ids[6]}</after>") == [7, 8]
    assert numbers(field("ids", ids[7], ids[2], ids[7])) == [2, 7]


def test_one_page_after_another(gateway: Gateway, ids: list[str]) -> None:
    forwards: list[int] = []
    page = "<max>7</max>"
    while True:
        answer = ask(gateway, query(page=page))
        forwards += answer.numbers
        if answer.fin.get("complete"):
            break
        page = f"<max>7</max><after>{answer.bound('last')}</after>"
    assert forwards == list(range(COUNT))


def test_how_many_are_there(gateway: Gateway, ids: list[str]) -> None:
    assert ask(gateway, query(page="<max>0</max>")).bound("count") == str(COUNT)
    assert ask(gateway, query(field("with", ROMEO), "<max>0</max>")).bound("count") == str(COUNT // 2)


def test_how_many_are_there_beside_a_page(gateway: Gateway, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As mod_mam says it by default: how many all pages together have, wherever the page is (XEP-0059 §2.6)."""
    assert ask(gateway, query(page="<max>1</max>")).bound("count") == str(COUNT)
    assert ask(gateway, query(page=f"<max>1</max><before>{ids[9]}</before>")).bound("count") == str(COUNT)
    assert ask(gateway, query(page="<max>5</max><before/>")).bound("count") == str(COUNT)
    assert ask(gateway, query(field("with", ROMEO), f"<max>5</max><after>{ids[6]}</after>")).bound("count") == str(COUNT // 2)
    assert ask(gateway, query(field("after-id", ids[49]), "<max>5</max>")).bound("count") == "10"
    assert ask(gateway, query(field("with", "nobody@x.example"))).bound("count") == "0"
    assert ask(gateway, query(field("with", f"{ROMEO}/2"))).bound("count") is None, "the storage does not know the resource"
    monkeypatch.setattr("xmpp_rest.service.messages.archive.MOST_COUNTED", COUNT // 2)
    assert ask(gateway, query(field("with", ROMEO), "<max>5</max>")).bound("count") == str(COUNT // 2)
    assert ask(gateway, query(page="<max>5</max>")).bound("count") == str(COUNT), "that of the whole archive is kept"
    monkeypatch.setattr("xmpp_rest.service.messages.archive.MOST_COUNTED", COUNT // 2 - 1)
    assert ask(gateway, query(field("with", ROMEO), "<max>5</max>")).bound("count") is None
    assert ask(gateway, query(field("with", ROMEO), "<max>0</max>")).bound("count") == str(COUNT // 2), "it is all that is asked for"


def test_a_result_says_what_it_is(gateway: Gateway, ids: list[str]) -> None:
    (message,) = ask(gateway, query(page="<max>1</max>")).results
    assert message.attrib == {"from": JULIET, "to": f"{JULIET}/balcony"}
    result = message[0]
    assert (result.tag, result.attrib) == (f"{M}result", {"queryid": "q1", "id": ids[0]})
    delay = result.find("{urn:xmpp:forward:0}forwarded/{urn:xmpp:delay}delay")
    assert delay is not None
    assert delay.get("stamp") == write_datetime(BASE)


def test_without_to_it_is_ones_own(gateway: Gateway, ids: list[str]) -> None:
    assert ask(gateway, query(page="<max>2</max>"), to="").numbers == [0, 1]


def test_an_empty_archive(gateway: Gateway) -> None:
    answer = ask(gateway, query())
    assert (answer.numbers, answer.fin.get("complete")) == ([], "true")


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        (query(page="<max>x</max>"), "bad-request"),
        (query(page="<max>-1</max>"), "bad-request"),
        (query(page="<max/>"), "bad-request"),
        (query(page=f"<max>{'9' * 5000}</max>"), "bad-request"),
        (query(page="<max>5</max><index>3</index>"), "feature-not-implemented"),
        (query(page="<after>nonsense</after>"), "item-not-found"),
        (query(page="<before>nonsense</before>"), "item-not-found"),
        (query(page=f"<after>{'x' * 5000}</after>"), "item-not-found"),
        (query(field("ids", "nonsense")), "item-not-found"),
        (query(field("ids", *map(str, range(20_000)))), "item-not-found"),
        (query(field("before-id", "nonsense")), "item-not-found"),
        (query(field("with", "@bad")), "jid-malformed"),
        (query(field("with", ROMEO, PARIS)), "bad-request"),
        (query(field("start", "")), "bad-request"),
        (query(field("start", "yesterday")), "bad-request"),
        (query(field("end", "2023-11-14")), "bad-request"),
        (query(field("end", "2023-13-14T22:13:41Z")), "bad-request"),
        (query(field("{urn:x}search", "love")), "feature-not-implemented"),
        (query(attributes="node='x'"), "item-not-found"),
    ],
)
def test_what_cannot_be_answered(gateway: Gateway, ids: list[str], payload: str, condition: str) -> None:
    assert refused(ask(gateway, payload)) == condition


def test_the_form(gateway: Gateway) -> None:
    form = ask(gateway, "<query xmlns='urn:xmpp:mam:2'/>", kind="get").iq.find(f"{M}query/{{jabber:x:data}}x")
    assert form is not None
    names = [row.get("var") for row in form]
    assert names == ["FORM_TYPE", "with", "start", "end", "before-id", "after-id", "ids"]


def test_the_ends_of_the_archive(gateway: Gateway, ids: list[str]) -> None:
    metadata = ask(gateway, "<metadata xmlns='urn:xmpp:mam:2'/>", kind="get").iq[0]
    ends = {row.tag.removeprefix(M): (row.get("id"), row.get("timestamp")) for row in metadata}
    assert ends == {"start": (ids[0], write_datetime(BASE)), "end": (ids[-1], write_datetime(BASE + COUNT - 1))}


def test_nobody_elses_business(gateway: Gateway, ids: list[str]) -> None:
    assert refused(ask(gateway, query(), from_=f"{NURSE}/x")) == "forbidden"
    stranger = parse_text(f"<iq type='set' from='{ROMEO}/x' to='{JULIET}' id='1'>{query()}</iq>")
    answer = gateway.parts.router.deliver(stranger, parse_jid(f"{ROMEO}/x"), parse_jid(JULIET))
    assert answer is not None
    assert condition_of(answer).condition == "forbidden"


@pytest.mark.parametrize("to", [f"to='{DOMAIN}'", f"to='{JULIET}/x'", f"to='nobody@{DOMAIN}'"])
def test_where_no_archive_is(gateway: Gateway, to: str) -> None:
    assert refused(ask(gateway, query(), to=to)) in ("service-unavailable", "forbidden")


def test_accounts_say_that_they_have_archives(gateway: Gateway) -> None:
    info = ask(gateway, "<query xmlns='http://jabber.org/protocol/disco#info'/>", kind="get").iq[0]
    features = [row.get("var") for row in info if row.tag.endswith("feature")]
    assert {"urn:xmpp:mam:2", "urn:xmpp:mam:2#extended"} <= set(features)
    host = ask(gateway, "<query xmlns='http://jabber.org/protocol/disco#info'/>", kind="get", to=f"to='{DOMAIN}'").iq[0]
    assert "urn:xmpp:mam:2" not in [row.get("var") for row in host]


def test_results_are_not_messages_to_the_account(gateway: Gateway, ids: list[str]) -> None:
    ask(gateway, query())
    assert gateway.driver.archive_count("juliet", DOMAIN, "archive") == COUNT


def test_over_the_stanza_api(client: FlaskClient, gateway: Gateway, ids: list[str]) -> None:
    body = f"<iq type='set' id='1' to='{JULIET}'>{query(page='<max>2</max><before/>')}</iq>"
    response = client.post("/rest", data=body, headers=basic("juliet") | {"Content-Type": "application/xmpp+xml"})
    assert response.status_code == 200
    assert [f"id='{n}'" in response.text for n in (57, 58, 59)] == [False, True, True]
    assert "<fin" in response.text


def test_the_query_of_the_stanza_api_says_how_many_there_are(client: FlaskClient, gateway: Gateway, ids: list[str]) -> None:
    """COMPAT mod_rest: `mam_include_total` is its default."""
    answer = client.get(f"/rest/archive/{JULIET}?max=2&with={ROMEO}", headers=basic("juliet") | {"Accept": "application/json"})
    *results, fin = answer.get_json()["xmpp"]
    assert (len(results), fin["result"]["page"]["count"]) == (2, COUNT // 2)
