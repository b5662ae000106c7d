"""What is accepted by nodes that cannot reach the XMPP server: kept and archived by one commit, and known to the next owner (many-machines §7)."""

from __future__ import annotations

import pytest

from drivers import ArchiveQuery, StorageError
from drivers.sql.cluster.journal import PostgresJournal
from tests.cluster.conftest import AddMachine, Machine
from tests.conftest import DOMAIN, basic, register_users
from tests.link.attached import until
from xmpp_rest.cluster import shared_journal

pytestmark = pytest.mark.live

FRIAR = "friar@verona.example"
LINK = {"link_kind": "component", "link_host": "127.0.0.1", "link_port": "1", "link_secret": "s", "link_retry_max": "1"}


@pytest.fixture
def pair(add_machine: AddMachine) -> tuple[Machine, Machine]:
    """Two nodes without an XMPP server, the first of which owns."""
    first = add_machine("web1", **LINK)
    register_users(first.app)
    return first, add_machine("web2", **LINK)


def archived(machine: Machine) -> list[str]:
    """What its storage has of the archive, which is read past the gateway."""
    items = machine.gateway.driver.archive_find("juliet", DOMAIN, "archive", ArchiveQuery())
    return [item.stanza.partition("<body>")[2].partition("</body>")[0] for item in items]


def outcome(machine: Machine, identifier: str) -> str:
    answer = machine.client.get(f"/rest/outcome/{identifier}", headers=basic("juliet"))
    return answer.get_json()["state"] if answer.status_code == 200 else str(answer.status_code)


def test_what_is_accepted_is_archived_and_known_to_the_next_owner(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    identifiers = []
    for number, machine in enumerate((first, second, first, second)):
        answer = machine.send(str(number), to=FRIAR)
        assert answer.status_code == 202
        identifiers.append(answer.headers["Stanza-Id"])
        assert archived(first) == archived(second) == [str(n) for n in range(number + 1)]
    first.gateway.hand_over()
    first.gateway.stop()
    until(lambda: second.owns)
    assert [outcome(second, identifier) for identifier in identifiers] == ["accepted"] * 4
    assert outcome(second, "never-sent") == "404"
    (stream,) = [
        each
        for each in second.client.get("/status", headers=basic(f"admin@{DOMAIN}")).get_json()["link"]["streams"]
        if each["domain"] == DOMAIN
    ]
    assert stream["outbox"] == 4
    assert second.send("4", to=FRIAR).status_code == 202
    assert archived(second) == [str(n) for n in range(5)]


def test_a_database_that_fails_is_503_and_nothing_is_kept(pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_journal, "PATIENCE", 0.1)

    def fails(*_: object) -> None:
        raise StorageError("no space", told="the database has no space left")

    with monkeypatch.context() as failing:
        failing.setattr(PostgresJournal, "commit", fails)
        for machine in pair:
            answer = machine.send("lost", to=FRIAR)
            assert answer.status_code == 503
            assert "no space left" in answer.text
            assert answer.headers["Retry-After"] == "5"
    assert archived(pair[0]) == []
    assert pair[1].send("kept", to=FRIAR).status_code == 202
    assert archived(pair[0]) == ["kept"]


def test_nothing_is_counted_as_unarchived(pair: tuple[Machine, Machine]) -> None:
    assert not [machine for machine in pair if (machine.gateway.data_dir / "unarchived").exists()]
    assert pair[0].send("said", to=FRIAR).status_code == 202
    history = pair[1].client.get(f"/api/messages/{FRIAR}", headers=basic(f"juliet@{DOMAIN}")).get_json()
    assert [message["body"] for message in history] == ["said"]
