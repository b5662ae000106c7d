"""Pages of history from archives at other servers (accounts-anywhere §7.4, client-api §6)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from tests.service.sessions.at_server import ROMEO, SESSION, AtServer, Speaks
from tests.service.sessions.fake_archive import BEGAN, JULIET, FakeArchive
from xmpp_rest.api.client.history import just_before
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import MAM
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.archive import ArchivedMessage
from xmpp_rest.service.sessions.foreign_history import MOST_PAGES, SECONDS, ForeignHistory, is_with
from xmpp_rest.service.sessions.history_page import MOST_BYTES, MOST_OF_A_SECOND
from xmpp_rest.service.sessions.server_archive import ServerArchive
from xmpp_rest.service.sessions.server_features import ServerFeatures

NURSE = parse_jid("nurse@capulet.example/kitchen")
OWN = parse_jid("romeo@montague.example/orchard")


def has_body(stanza: Element) -> bool:
    return stanza.find("body") is not None


def history_at(server: AtServer) -> ForeignHistory:
    return ForeignHistory(ServerArchive(server.router, server.waits), ServerFeatures(server.router, server.waits))


def read(held: FakeArchive, limit: int = 50, *, partner: JID | None = None, before: int | None = None) -> list[ArchivedMessage]:
    """`before` in milliseconds, as the API has it."""
    end = None if before is None else just_before(before)
    return history_at(AtServer(held)).messages(ROMEO, partner, end, limit, has_body)


def bodies(found: list[ArchivedMessage]) -> list[str | None]:
    return [kept.stanza.findtext("body") for kept in found]


def all_pages(held: FakeArchive, limit: int) -> list[list[str | None]]:
    """As a client pages backwards: by the time of the first message of a page (client-api §6)."""
    pages: list[list[str | None]] = []
    before = None
    while found := read(held, limit, before=before):
        pages.insert(0, bodies(found))
        before = int(found[0].when * 1000)
    return pages


@pytest.fixture(params=[True, False], ids=["whole-seconds", "microseconds"])
def held(request: pytest.FixtureRequest) -> FakeArchive:
    return FakeArchive(whole=request.param)


def test_the_newest_messages_the_oldest_first(held: FakeArchive) -> None:
    for number in range(9):
        held.add(str(number), BEGAN + number)
    assert bodies(read(held)) == [str(number) for number in range(9)]
    assert bodies(read(held, 3)) == ["6", "7", "8"]


def test_before_is_a_strict_bound(held: FakeArchive) -> None:
    for number in range(5):
        held.add(str(number), BEGAN + number)
    assert bodies(read(held, before=int((BEGAN + 3) * 1000))) == ["0", "1", "2"]
    assert bodies(read(held, before=int((BEGAN + 3) * 1000) + 1)) == ["0", "1", "2", "3"]
    assert read(held, before=int(BEGAN * 1000)) == []


def test_only_what_people_say_to_each_other_is_shown(held: FakeArchive) -> None:
    held.add("chat", BEGAN)
    held.add("normal", BEGAN + 1, type_="normal")
    held.add("untyped", BEGAN + 2, type_="")
    held.add("of a type that RFC 6121 does not know", BEGAN + 3, type_="murmur")
    for number, kind in enumerate(("groupchat", "headline", "error"), 4):
        held.add(kind, BEGAN + number, type_=kind)
    held.add(None, BEGAN + 8)
    held.keep(make("presence", child("body", "presence"), from_=str(JULIET)), BEGAN + 9)
    assert bodies(read(held)) == ["chat", "normal", "untyped", "of a type that RFC 6121 does not know"]


def test_the_partner_is_asked_for_bare_and_a_resource_compared_here(held: FakeArchive) -> None:
    held.add("from the balcony", BEGAN, JULIET)
    held.add("from the tomb", BEGAN + 1, JULIET.bare.at("tomb"))
    held.add("to the balcony", BEGAN + 2, OWN, JULIET)
    held.add("of the nurse", BEGAN + 3, NURSE)
    assert bodies(read(held, partner=JULIET.bare)) == ["from the balcony", "from the tomb", "to the balcony"]
    assert bodies(read(held, partner=JULIET)) == ["from the balcony", "to the balcony"]
    assert bodies(read(held, partner=NURSE.bare)) == ["of the nurse"]
    assert read(held, partner=parse_jid("tybalt@capulet.example")) == []


def test_what_a_server_gives_beyond_the_question_is_not_shown(held: FakeArchive) -> None:
    held.add("of the nurse", BEGAN, NURSE)

    def ignores_the_form(client: Speaks, stanza: Element) -> bool:
        if (query := stanza.find(f"{{{MAM}}}query")) is not None:
            query.remove(query[0])
        return held(client, stanza)

    assert history_at(AtServer(ignores_the_form)).messages(ROMEO, JULIET, None, 50, has_body) == []


def test_a_message_to_oneself_is_one(held: FakeArchive) -> None:
    for number in range(6):
        for _ in range(2):
            held.add(f"note {number}", BEGAN + number, OWN, ROMEO, id_=f"n{number}")
            held.items[-1] = held.items[-1]._replace(when=held.items[-1].when + len(held.items) * 0.001 * (not held.whole))
    assert bodies(read(held)) == [f"note {number}" for number in range(6)]
    for limit in range(1, 7):
        assert [each for page in all_pages(held, limit) for each in page] == [f"note {number}" for number in range(6)]


def test_the_same_note_said_twice_is_two(held: FakeArchive) -> None:
    for when in (0, 0, 120, 120):
        held.add("again", BEGAN + when, OWN, ROMEO, id_="same")
    assert bodies(read(held)) == ["again", "again"]


def test_messages_with_oneself(held: FakeArchive) -> None:
    held.add("note", BEGAN, OWN, ROMEO)
    held.add("of the nurse", BEGAN + 1, NURSE)
    held.keep(make("message", child("body", "without addresses")), BEGAN + 2)
    found = read(held, partner=ROMEO)
    assert bodies(found) == ["note", "without addresses"]
    assert found[1].stanza.get("from") == str(ROMEO)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 11, 50])
def test_paging_loses_and_repeats_nothing_where_seconds_are_whole(limit: int) -> None:
    held = FakeArchive(whole=True)
    for second, count in enumerate((1, 3, 1, 7, 2, 2, 1)):
        for number in range(count):
            held.add(f"{second}.{number}", BEGAN + second + number / 10)
    everything = bodies(read(held, 500))
    assert len(everything) == 17
    pages = all_pages(held, limit)
    assert [each for page in pages for each in page] == everything
    assert all(len(page) <= max(limit, 7) for page in pages)


def test_a_page_ends_between_seconds() -> None:
    held = FakeArchive(whole=True)
    for number in range(6):
        held.add(str(number), BEGAN + number // 2)
    assert bodies(read(held, 3)) == ["4", "5"]
    assert bodies(read(held, 4)) == ["2", "3", "4", "5"]
    assert bodies(read(held, 1)) == ["4", "5"]


def test_a_second_full_of_messages_is_shown_whole_up_to_a_bound() -> None:
    held = FakeArchive(whole=True)
    held.add("before", BEGAN)
    for number in range(MOST_OF_A_SECOND + 200):
        held.add(str(number), BEGAN + 1)
    found = bodies(read(held, 3))
    assert found == [str(number) for number in range(200, MOST_OF_A_SECOND + 200)]
    assert bodies(read(held, 3, before=int((BEGAN + 1) * 1000))) == ["before"]


def test_a_second_beyond_one_query_is_shown_whole() -> None:
    held = FakeArchive(whole=True)
    held.add("before", BEGAN)
    for number in range(250):
        held.add(str(number), BEGAN + 1)
    assert bodies(read(held, 3)) == [str(number) for number in range(250)]


def test_a_limit_beyond_one_query(held: FakeArchive) -> None:
    for number in range(250):
        held.add(str(number), BEGAN + number)
    assert bodies(read(held, 230)) == [str(number) for number in range(20, 250)]
    assert len(held.queries) == 3


def test_what_was_found_in_so_many_pages_is_the_answer(held: FakeArchive) -> None:
    held.add("too old", BEGAN)
    for number in range(MOST_PAGES * 100):
        held.add(None, BEGAN + 1 + number)
    held.add("new", BEGAN + 5000)
    assert bodies(read(held, 5)) == ["new"]
    assert len(held.queries) == MOST_PAGES


def test_a_second_that_was_not_read_to_its_end_comes_with_the_next_page() -> None:
    held = FakeArchive(whole=True)
    for number in range(MOST_PAGES * 100 + 300):
        held.add(f"{number}" if number in (200, 300, 2200) else None, BEGAN if number < 400 else BEGAN + number)
    assert bodies(read(held, 5)) == ["2200"]
    assert bodies(read(held, 5, before=int((BEGAN + 400) * 1000))) == ["200", "300"]


def test_a_limit_asks_for_little_more(held: FakeArchive) -> None:
    for number in range(30):
        held.add(str(number), BEGAN + number)
    assert bodies(read(held, 1)) == ["29"]
    assert held.queries[0].findtext("{http://jabber.org/protocol/rsm}set/{http://jabber.org/protocol/rsm}max") == "11"


def test_a_server_whose_pages_do_not_move_ends_the_search() -> None:
    held = FakeArchive()
    for number in range(30):
        held.add(None, BEGAN + number)

    def stays(client: Speaks, stanza: Element) -> bool:
        if (query := stanza.find(f"{{{MAM}}}query")) is not None:
            page = query.find("{http://jabber.org/protocol/rsm}set")
            assert page is not None
            page[:] = [child("{http://jabber.org/protocol/rsm}max", "5"), child("{http://jabber.org/protocol/rsm}before")]
        return held(client, stanza)

    assert history_at(AtServer(stays)).messages(ROMEO, None, None, 5, has_body) == []
    assert len(held.queries) == 2


def test_an_item_that_is_removed_meanwhile_ends_the_search() -> None:
    held = FakeArchive(whole=True)
    for number in range(300):
        held.add(str(number), BEGAN + number)

    def prunes(client: Speaks, stanza: Element) -> bool:
        taken = held(client, stanza)
        if len(held.queries) == 1:
            del held.items[:250]
        return taken

    assert bodies(history_at(AtServer(prunes)).messages(ROMEO, None, None, 150, has_body)) == [str(number) for number in range(201, 300)]


def test_very_long_messages_make_a_short_page(held: FakeArchive) -> None:
    for number in range(200):
        held.add("x" * (MOST_BYTES // 50), BEGAN + number)
    found = read(held, 190)
    assert 50 < len(found) <= 100
    assert found[-1].id == held.items[-1].id
    further = read(held, 190, before=int(found[0].when * 1000))
    assert further[-1].id == held.items[-1 - len(found)].id


def test_all_of_it_has_a_time(held: FakeArchive) -> None:
    for number in range(300):
        held.add(None, BEGAN + number)
    server, now = AtServer(held), [100.0]

    def slow(client: Speaks, stanza: Element) -> bool:
        now[0] += SECONDS / 2
        return len(held.queries) == 2

    server.answers.insert(0, slow)
    archive, features = ServerArchive(server.router, server.waits), ServerFeatures(server.router, server.waits)
    with pytest.raises(GatewayError, match="server-silent"):
        ForeignHistory(archive, features, lambda: now[0]).messages(ROMEO, None, None, 5, has_body)
    assert len(held.queries) == 2


@pytest.mark.parametrize("condition", ["feature-not-implemented", "service-unavailable", "item-not-found"])
def test_no_archive(held: FakeArchive, condition: str) -> None:
    held.refusal = condition
    with pytest.raises(GatewayError, match="no-archive"):
        read(held)
    held.refusal, held.features = "", []
    with pytest.raises(GatewayError, match="no-archive") as raised:
        read(held)
    assert (raised.value.row.status, raised.value.text) == (501, "Message archive not available")


def test_with_whom_a_message_is() -> None:
    from_oneself = make("message", to_=str(JULIET))
    assert is_with(from_oneself, ROMEO, JULIET.bare)
    assert is_with(from_oneself, ROMEO, JULIET)
    assert not is_with(from_oneself, ROMEO, ROMEO)
    assert not is_with(make("message", from_=str(NURSE), to_=str(SESSION)), ROMEO, JULIET)
