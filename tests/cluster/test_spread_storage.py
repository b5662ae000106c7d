"""What owners of single domains keep in the storage that they share: so much, under their leases, and for the next owner (many-machines §11)."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from drivers.shared import JournalChange, LeaseLost, TransferRow
from tests.cluster.conftest import CONFERENCE, AddMachine, cluster_over
from tests.cluster.test_spread import as_request, ask, told
from tests.conftest import DOMAIN, basic, register_users
from tests.drivers.postgrescluster import Cluster
from tests.link.attached import until
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.callbacks.delivery import Delivery


def test_what_waits_for_another_owner_is_bounded_in_all_and_of_one_account(add_machine: AddMachine) -> None:
    machine = add_machine("web1", cluster_spread="yes", link_outbox_size="20", link_outbox_share="50")
    register_users(machine.app)
    (rooms,) = [each for each in machine.gateway.parts.apart if each.base.domain == CONFERENCE]
    until(lambda: rooms.base.remote.group.is_leader)
    rooms.leader.end()  # it owns, and takes nothing

    def say(who: str, number: int) -> TestResponse:
        said: dict[str, object] = {"kind": "message", "to": f"hall@{CONFERENCE}", "type": "groupchat", "body": "x", "id": f"{who}-{number}"}
        return ask(machine, said, who)

    def waiting() -> list[str]:
        found = [parse_stored(row.text.partition("\n")[2]) for row in rooms.base.cluster.shared().transfers(CONFERENCE)]
        return [stanza.get("id", "") for stanza in found if stanza.tag == "message"]

    answers = [say("juliet", number) for number in range(12)]
    assert [answer.status_code for answer in answers] == [202] * 10 + [503] * 2, answers[-1].text
    assert told(answers[-1])["error"]["condition"] == "resource-constraint"
    assert "of one sender wait for the owner of" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) > 0
    until(lambda: say("nurse", 0).status_code == 503)  # with the question whether all was handled
    full = say("nurse", 1)
    assert f"Too many stanzas wait for the owner of {CONFERENCE}" in full.text, full.text
    kept = waiting()
    assert kept[:10] == [f"juliet-{number}" for number in range(10)]
    assert 15 <= len(kept) <= 20
    assert machine.send("to an account").status_code == 202  # which has nothing to do with it


def test_dead_letters_of_a_room_are_kept_by_its_owner_alone(add_machine: AddMachine) -> None:
    given = {
        "cluster_spread": "yes", "callback_bot_url": "http://127.0.0.1:1/", "callback_bot_address": CONFERENCE, "callback_bot_dead_letters": "2",
    }  # fmt: skip
    machine = add_machine("web1", **given)
    register_users(machine.app)

    def kept() -> list[str]:
        return [each.delivery.id for each in machine.gateway.parts.callbacks.queues["bot"].dead.find("bot")]

    with as_request(machine):  # for as long as this lasts, the driver of the parts is open
        (rooms,) = [each for each in machine.gateway.parts.apart if each.base.domain == CONFERENCE]
        until(lambda: rooms.base.remote.group.is_leader)
        dead, shared = rooms.base.callbacks.own["bot"].dead, rooms.base.cluster.shared()
        stanza = make("message", child("body", "x"), from_=f"juliet@{DOMAIN}/a", to_=CONFERENCE, id_="m1")
        letter = partial(Delivery, since=1.0, stanza=stanza, sender=parse_jid(f"juliet@{DOMAIN}/a"), to=parse_jid(CONFERENCE))
        for name in ("d1", "d2", "d3"):
            dead.add("bot", letter(name), 1, "no answer", 2)
        assert kept() == ["d2", "d3"]
        until(lambda: shared.take(CONFERENCE, "nobody", "nobody", shared.leases()[CONFERENCE]) is not None)  # as where it was frozen
        with pytest.raises(LeaseLost):
            dead.add("bot", letter("d4"), 1, "no answer", 2)
        assert [each.delivery.id for each in dead.find("bot")] == ["d2", "d3"]


@pytest.mark.parametrize("next_kind", ["postgresql", "none"])
def test_one_owner_of_all_takes_what_several_have_passed_on(cluster: Cluster, tmp_path: Path, next_kind: str) -> None:
    url, park = cluster.new_database(), f"park@{CONFERENCE}"
    left = f"<message from='{park}' to='juliet@{DOMAIN}' type='chat' id='left-1'><body>left</body></message>"
    late = f"<message from='juliet@{DOMAIN}/a' to='{park}' type='groupchat' id='late-1'><body>late</body></message>"
    with cluster_over(url, tmp_path) as add:
        machine = add("web1", cluster_spread="yes")
        register_users(machine.app)
        found = machine.gateway.parts.joined.cluster
        assert found is not None
        machine.gateway.parts.leader.end()
        for each in machine.gateway.parts.apart:
            each.leader.end()
        rows = [TransferRow(0, hosted, "source", n, f"\n{text}") for n, (hosted, text) in enumerate(((DOMAIN, left), (CONFERENCE, late)), 1)]
        found.shared().journal("", DOMAIN).commit(JournalChange(passed_on=rows))
    with cluster_over(url, tmp_path) as add:
        machine = add("web1", cluster_kind=next_kind)
        with closing(machine.gateway.driver.open_shared(DOMAIN)) as shared:
            until(lambda: not shared.transfers(DOMAIN) and not shared.transfers(CONFERENCE))
        history = machine.client.get("/api/messages", headers=basic(f"juliet@{DOMAIN}"))
        assert "left" in history.text, history.text
        assert machine.send("nothing waits behind it").status_code == 202
