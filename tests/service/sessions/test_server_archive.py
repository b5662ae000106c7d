"""Pages of archives at other servers (XEP-0313, accounts-anywhere §7.3, §7.4)."""

from __future__ import annotations

from copy import deepcopy
from xml.etree.ElementTree import Element

import pytest

from drivers import ItemNotFound
from tests.processes.memory import cut, processes
from tests.service.sessions.at_server import ROMEO, AtServer, Speaks
from tests.service.sessions.fake_archive import BEGAN, JULIET, FakeArchive
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.forms import FORM, read_form
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, MAM
from xmpp_rest.protocol.stanza import child, make, result
from xmpp_rest.service.messages.archive import ArchiveFilter
from xmpp_rest.service.sessions.server_archive import ServerArchive
from xmpp_rest.service.sessions.server_asks import ServerAsks
from xmpp_rest.service.sessions.server_features import KEPT, AccountFeatures, ServerFeatures
from xmpp_rest.service.sessions.server_query import ServerPage
from xmpp_rest.threads.waits import Wait

EVERYTHING = ArchiveFilter()
SOON = Wait(0.05)


def archived(count: int, *, whole: bool = False) -> FakeArchive:
    """Messages `0`, `1` …, a second apart."""
    archive = FakeArchive(whole=whole)
    for number in range(count):
        archive.add(str(number), BEGAN + number + 0.25)
    return archive


def archive_of(server: AtServer) -> ServerArchive:
    return ServerArchive(server.router, server.waits)


def bodies(page: ServerPage) -> list[str | None]:
    return [kept.stanza.findtext("body") for kept in page.items]


def test_pages_go_backwards_from_the_newest() -> None:
    archive = archive_of(AtServer(held := archived(7)))
    page = archive.page(ROMEO, EVERYTHING, 3, newest=True)
    assert bodies(page) == ["4", "5", "6"]
    assert not page.complete
    assert (page.first, page.last) == (held.items[4].id, held.items[6].id)
    page = archive.page(ROMEO, ArchiveFilter(before=page.first), 3, newest=True)
    assert bodies(page) == ["1", "2", "3"]
    page = archive.page(ROMEO, ArchiveFilter(before=page.first), 3, newest=True)
    assert bodies(page) == ["0"]
    assert page.complete


def test_pages_go_on_behind_an_id() -> None:
    archive = archive_of(AtServer(held := archived(7)))
    assert bodies(archive.page(ROMEO, EVERYTHING, 2)) == ["0", "1"]
    page = archive.page(ROMEO, ArchiveFilter(after=held.items[4].id), 50)
    assert bodies(page) == ["5", "6"]
    assert page.complete


def test_the_newest_item_has_its_time_and_id() -> None:
    archive = archive_of(AtServer(held := archived(3)))
    newest = archive.newest(ROMEO)
    assert newest is not None
    assert (newest.id, newest.when) == (held.items[-1].id, BEGAN + 2.25)
    assert archive_of(AtServer(FakeArchive())).newest(ROMEO) is None


def test_an_empty_archive_is_a_complete_page() -> None:
    assert archive_of(AtServer(FakeArchive())).page(ROMEO, EVERYTHING, 5) == ServerPage([], True)


def test_a_query_has_bare_partner_and_whole_seconds() -> None:
    server = AtServer(held := FakeArchive())
    archive_of(server).page(ROMEO, ArchiveFilter(start=BEGAN + 0.7, end=BEGAN + 1.2, partner=JULIET), 500)
    form = held.queries[0].find(f"{FORM}x")
    assert form is not None
    assert read_form(form) == {
        "FORM_TYPE": [MAM],
        "with": ["juliet@capulet.example"],
        "start": ["2023-11-14T22:13:20Z"],
        "end": ["2023-11-14T22:13:22Z"],
    }
    assert held.queries[0].findtext("{http://jabber.org/protocol/rsm}set/{http://jabber.org/protocol/rsm}max") == "100"
    assert server.sent[0].get("to") == str(ROMEO)


def test_the_archive_of_a_room_is_asked_there() -> None:
    room = JID("friends", "muclight.montague.example", "")
    held = FakeArchive(room)
    held.add("hello", BEGAN, room.at(str(ROMEO)), ROMEO, type_="groupchat")
    assert bodies(archive_of(AtServer(held)).page(ROMEO, EVERYTHING, 5, at=room)) == ["hello"]


def test_an_unknown_id_is_an_error_where_the_server_says_so() -> None:
    with pytest.raises(ItemNotFound):
        archive_of(AtServer(archived(3, whole=True))).page(ROMEO, ArchiveFilter(after="nothing"), 5)


@pytest.mark.parametrize("condition", ["feature-not-implemented", "service-unavailable"])
def test_a_server_without_an_archive(condition: str) -> None:
    held = FakeArchive()
    held.refusal = condition
    with pytest.raises(GatewayError, match="no-archive"):
        archive_of(AtServer(held)).page(ROMEO, EVERYTHING, 5)


def test_what_the_server_refuses_is_told() -> None:
    held = FakeArchive()
    held.refusal = "forbidden"
    with pytest.raises(GatewayError, match="server-refused") as raised:
        archive_of(AtServer(held)).page(ROMEO, EVERYTHING, 5)
    assert raised.value.row.status == 403
    assert raised.value.text == "The archive has refused the query: forbidden"


def test_a_result_that_is_none_is_no_archive() -> None:
    def says_yes(client: Speaks, stanza: Element) -> bool:
        client.send(result(stanza))
        return True

    with pytest.raises(GatewayError, match="no-archive"):
        archive_of(AtServer(says_yes)).page(ROMEO, EVERYTHING, 5)


def test_no_more_than_asked_for_is_taken_and_what_cannot_be_read_is_left_out() -> None:
    held = archived(9)

    def broken(client: Speaks, stanza: Element) -> bool:
        query = stanza[0].get("queryid")
        for content in ("", "<forwarded xmlns='urn:xmpp:forward:0'/>", NO_DELAY, NO_TIME):
            client.send(
                f"<message from='{ROMEO}' to='{client.jid}'><result xmlns='{MAM}' queryid='{query}' id='1'>{content}</result></message>"
            )
        stanza = deepcopy(stanza)
        page = stanza[0].find("{http://jabber.org/protocol/rsm}set")
        assert page is not None
        page[0].text = "9"
        return held(client, stanza)

    assert bodies(archive_of(AtServer(broken)).page(ROMEO, EVERYTHING, 6)) == ["0", "1"]


NO_DELAY = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></forwarded>"
NO_TIME = NO_DELAY.replace("<message", "<delay xmlns='urn:xmpp:delay' stamp='yesterday'/><message")


def test_results_of_another_sender_or_query_do_not_count() -> None:
    def false(client: Speaks, stanza: Element) -> bool:
        good = NO_DELAY.replace("<message", "<delay xmlns='urn:xmpp:delay' stamp='2026-11-30T12:00:00Z'/><message")
        for sender, query in (("tybalt@capulet.example", stanza[0].get("queryid")), (str(ROMEO), "other")):
            client.send(
                f"<message from='{sender}' to='{client.jid}'><result xmlns='{MAM}' queryid='{query}' id='1'>{good}</result></message>"
            )
        client.send(result(stanza, make(f"{{{MAM}}}fin", complete="true")))
        return True

    assert archive_of(AtServer(false)).page(ROMEO, EVERYTHING, 5).items == []


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(GatewayError, match="server-silent"):
        archive_of(AtServer(lambda client, stanza: True)).page(ROMEO, EVERYTHING, 5, wait=SOON)


def test_pages_without_waiting() -> None:
    archive = archive_of(AtServer(archived(3, whole=True)))
    found: list[ServerPage | Exception] = []
    archive.begin_page(found.append, ROMEO, EVERYTHING, 2, newest=True)
    archive.begin_page(found.append, ROMEO, ArchiveFilter(before="nothing"), 2, newest=True)
    page, unknown = found
    assert isinstance(page, ServerPage)
    assert bodies(page) == ["1", "2"]
    assert isinstance(unknown, ItemNotFound)


def test_a_page_that_is_not_waited_for_any_more() -> None:
    found: list[ServerPage | Exception] = []
    end = archive_of(AtServer(lambda client, stanza: True)).begin_page(found.append, ROMEO, EVERYTHING, 2)
    assert found == []
    end()
    assert [str(error) for error in found] == [str(GatewayError("client-gone"))]


def test_a_follower_asks_by_the_leader() -> None:
    leader, follower = processes(2)
    server = AtServer(archived(4), remote=leader)
    behind = ServerArchive(Router(frozenset(("capulet.example",)), server.router._pending, follower), server.waits)
    leader.start()
    follower.start()
    assert bodies(behind.page(ROMEO, EVERYTHING, 2, newest=True)) == ["2", "3"]


def test_a_leader_that_ends_meanwhile_takes_the_session_with_it() -> None:
    leader, follower = processes(2)
    server = AtServer(remote=leader)
    router = Router(frozenset(("capulet.example",)), server.router._pending, follower)
    ServerAsks(server.router, server.waits, leader)
    asks = ServerAsks(router, server.waits, follower)
    leader.start()
    follower.start()
    cut(follower)
    iq = make("iq", make("{a}b"), type_="get", id_="q", from_=str(ROMEO), to_=str(ROMEO))
    for ask in (
        lambda: ServerArchive(router, server.waits).page(ROMEO, EVERYTHING, 2),
        lambda: ServerFeatures(router, server.waits).of(ROMEO),
        lambda: asks.one(iq),
        lambda: asks.each([iq]),
    ):
        with pytest.raises(GatewayError, match="session-broke: The session at montague.example broke off; try again"):
            ask()


class TestFeatures:
    def test_they_are_asked_for_once_and_again_later(self) -> None:
        server = AtServer(held := FakeArchive(whole=True))
        now = [100.0]
        features = ServerFeatures(server.router, server.waits, lambda: now[0])
        assert features.known(ROMEO) is None
        assert features.of(ROMEO) == AccountFeatures(archive=True, extended=True, carbons=False) == features.known(ROMEO)
        held.features = ["urn:xmpp:carbons:2"]
        assert features.of(ROMEO).archive
        assert len(server.iqs(f"{{{DISCO_INFO}}}query")) == 1
        now[0] += KEPT
        assert features.of(ROMEO) == AccountFeatures(archive=False, extended=False, carbons=True)

    def test_a_server_that_knows_no_discovery_has_nothing(self) -> None:
        server = AtServer()
        assert ServerFeatures(server.router, server.waits).of(ROMEO) == AccountFeatures(False, False, False)

    def test_an_error_is_not_kept(self) -> None:
        conditions = ["internal-server-error", "forbidden"]

        def fails(client: Speaks, stanza: Element) -> bool:
            error = make("error", child(f"{{urn:ietf:params:xml:ns:xmpp-stanzas}}{conditions[0]}"), type_="wait")
            client.send(make("iq", error, type_="error", id_=stanza.get("id"), from_=str(ROMEO), to_=str(client.jid)))
            return bool(conditions)

        server = AtServer(fails)
        features = ServerFeatures(server.router, server.waits)
        with pytest.raises(GatewayError, match="server-refused"):
            features.of(ROMEO)
        found: list[AccountFeatures | Exception] = []
        features.begin(found.append, ROMEO)
        assert isinstance(found[0], GatewayError)
        server.answers[:] = [FakeArchive()]
        features.begin(found.append, ROMEO)
        features.begin(found.append, ROMEO)
        assert found[1:] == [AccountFeatures(True, False, False)] * 2
        assert len(server.iqs(f"{{{DISCO_INFO}}}query")) == 3
