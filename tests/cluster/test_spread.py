"""Each hosted domain has an owner of its own: rooms at one machine, accounts at another (many-machines §6, §11, `[cluster] spread`)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from werkzeug.test import TestResponse

from tests.cluster.conftest import CONFERENCE, LIGHT, AddMachine, Machine, cluster_over
from tests.conftest import DOMAIN, basic, register_users
from tests.drivers.postgrescluster import Cluster
from tests.link.attached import until
from tests.live.callback import XML
from tests.webservice import Answer, serving
from xmpp_rest.gateway.exit_codes import CannotStart
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.rooms.values import Wish
from xmpp_rest.threads.waits import Wait


def owners(machine: Machine) -> dict[str, str]:
    """The node that owns each domain, as this machine knows it."""
    with as_request(machine):
        return {each["domain"]: each["node"] for each in machine.gateway.parts.cluster.figures()["owners"]}


def owner_in(machine: Machine, domain: str) -> dict[str, Any]:
    """What this machine tells of the owner of a domain."""
    with as_request(machine):
        return next(each for each in machine.gateway.parts.cluster.figures()["owners"] if each["domain"] == domain)


def wait_settled(first: Machine, second: Machine) -> None:
    """Until both machines know the owners that the tests begin with, and can call them."""
    until(lambda: owners(first) == {DOMAIN: "web1", CONFERENCE: "web2", LIGHT: "web2"})
    until(lambda: all(owner_in(second, domain)["epoch"] == owner_in(first, domain)["epoch"] for domain in (DOMAIN, CONFERENCE, LIGHT)))
    for machine in (first, second):
        assert machine.send("settled", who="nurse", to=f"nurse@{DOMAIN}").status_code == 202


def told(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return json.loads(answer.text)


@contextmanager
def as_request(machine: Machine) -> Iterator[None]:
    """Wait while parts are replaced."""
    in_progress = machine.gateway.in_progress
    assert in_progress is not None
    begun = in_progress.enter()
    try:
        yield
    finally:
        in_progress.leave(begun)


def move(machine: Machine, domain: str, node: str) -> None:
    """Have a node own a domain, and wait until this machine knows. A busy machine may just have lost the lease by itself."""
    refusals: list[str] = []

    def begins() -> bool:
        with as_request(machine):
            refusals.append(machine.gateway.parts.cluster.move(domain, node))
        return "changing already" not in refusals[-1]

    until(begins)
    assert refusals[-1] == ""
    until(lambda: owners(machine)[domain] == node)


@pytest.fixture(scope="module")
def spread(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Two nodes, the first of which owns the accounts, and the second the rooms."""
    with cluster_over(cluster.new_database(), tmp_path_factory.mktemp("spread")) as add:
        first = add("web1", cluster_spread="yes")
        register_users(first.app)
        second = add("web2", cluster_spread="yes")
        for domain in (CONFERENCE, LIGHT):
            move(first, domain, "web2")
        wait_settled(first, second)
        yield first, second


def test_the_list_of_owners_names_each(spread: tuple[Machine, Machine]) -> None:
    for machine in spread:
        found = machine.gateway.parts.cluster.figures()
        here = machine.gateway.settings.cluster.node
        assert [(each["domain"], each["here"]) for each in found["owners"]] == [
            (DOMAIN, here == "web1"), (LIGHT, here == "web2"), (CONFERENCE, here == "web2"),
        ]  # fmt: skip


def test_a_room_is_made_and_listed_at_any_machine(spread: tuple[Machine, Machine]) -> None:
    for machine, name in zip(spread, ("park", "yard"), strict=True):
        assert machine.run("create_room", room=name, service=CONFERENCE, host=DOMAIN).status_code == 200
    for machine in spread:
        rooms = told(machine.run("muc_online_rooms", service=CONFERENCE))
        assert {f"park@{CONFERENCE}", f"yard@{CONFERENCE}"} <= set(rooms)


class Listener:
    """The events of an account at one machine, from now on."""

    def __init__(self, machine: Machine, user: str) -> None:
        with as_request(machine):
            self.stream = machine.gateway.parts.streams.open(parse_jid(f"{user}@{DOMAIN}"))

    def until(self, wanted: Callable[[Element], bool]) -> Element:
        """The first stanza like this."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            event = self.stream.next(0.2)
            if event is not None and wanted(event.stanza):
                return event.stanza
        raise TimeoutError


@pytest.fixture
def listen() -> Iterator[Callable[[Machine, str], Listener]]:
    opened: list[Listener] = []

    def open_one(machine: Machine, user: str) -> Listener:
        opened.append(Listener(machine, user))
        return opened[-1]

    yield open_one
    for listener in opened:
        listener.stream.close()


Listen = Callable[[Machine, str], Listener]


def ask(machine: Machine, stanza: dict[str, object], who: str) -> TestResponse:
    return machine.client.post("/rest", json=stanza, headers=basic(who))


def join(machine: Machine, listener: Listener, room: str, who: str) -> None:
    """Have an account come into a room under its own name."""
    answer = ask(machine, {"kind": "presence", "to": f"{room}/{who}", "muc": {}}, who)
    assert answer.status_code == 202, answer.text
    listener.until(lambda s: s.tag == "presence" and s.get("from") == f"{room}/{who}" and s.get("type") is None)


def test_accounts_meet_in_a_room_of_another_owner(spread: tuple[Machine, Machine], listen: Listen) -> None:
    first, second = spread
    room = f"hall@{CONFERENCE}"
    assert first.run("create_room_with_opts", room="hall", service=CONFERENCE, host=DOMAIN, options=[]).status_code == 200
    juliet, nurse = listen(first, "juliet"), listen(second, "nurse")
    join(first, juliet, room, "juliet")
    join(second, nurse, room, "nurse")
    for number, (machine, who) in enumerate(((first, "juliet"), (second, "nurse"), (second, "juliet"))):
        sent = ask(machine, {"kind": "message", "to": room, "type": "groupchat", "body": f"hello {number}"}, who)
        assert sent.status_code == 202, sent.text
        for listener in (juliet, nurse):
            shown = listener.until(lambda s: s.get("from", "").startswith(room) and s.find("body") is not None)
            assert (shown.get("from"), shown.findtext("body")) == (f"{room}/{who}", f"hello {number}")
    assert second.run("set_room_affiliation", room="hall", service=CONFERENCE, user="nurse", host=DOMAIN, affiliation="outcast").status_code == 200
    put_out = nurse.until(lambda s: s.tag == "presence" and s.get("type") == "unavailable")
    assert put_out.get("from") == f"{room}/nurse"
    refused = ask(first, {"kind": "message", "to": room, "type": "groupchat", "body": "still here", "id": "late-1"}, "nurse")
    assert refused.status_code == 202
    error = nurse.until(lambda s: s.get("type") == "error")
    assert error.get("id") == "late-1"
    until(lambda: told(first.client.get("/rest/outcome/late-1", headers=basic("nurse")))["state"] == "refused")


def test_an_iq_to_a_room_of_another_owner_is_answered(spread: tuple[Machine, Machine]) -> None:
    first, second = spread
    for machine, domain in ((first, CONFERENCE), (second, CONFERENCE), (first, LIGHT), (second, LIGHT)):
        answer = ask(machine, {"kind": "iq", "type": "get", "to": domain, "disco": True}, "juliet")
        assert answer.status_code == 200, answer.text
        assert "conference" in answer.text
    unknown = ask(first, {"kind": "iq", "type": "get", "to": f"nowhere@{CONFERENCE}", "disco": True}, "juliet")
    assert "item-not-found" in unknown.text


def test_what_a_room_of_another_owner_has_taken_is_confirmed(spread: tuple[Machine, Machine], listen: Listen) -> None:
    first, second = spread
    room = f"quiet@{CONFERENCE}"
    assert first.run("create_room", room="quiet", service=CONFERENCE, host=DOMAIN).status_code == 200
    juliet = listen(first, "juliet")
    join(first, juliet, room, "juliet")
    sent = ask(second, {"kind": "message", "to": room, "type": "groupchat", "body": "one", "id": "sure-1"}, "juliet")
    assert sent.status_code == 202
    until(lambda: told(second.client.get("/rest/outcome/sure-1", headers=basic("juliet")))["state"] in ("confirmed", "reflected"))
    refused = second.client.post(
        "/rest", json={"kind": "message", "to": f"nowhere@{CONFERENCE}", "type": "groupchat", "body": "x"},
        headers=basic("juliet") | {"Prefer": "wait=10"},
    )  # fmt: skip
    assert "item-not-found" in refused.text or "not-acceptable" in refused.text, (refused.status_code, refused.text)


def test_what_another_owner_sends_is_not_confirmed_before_it_is_handled(spread: tuple[Machine, Machine]) -> None:
    """It is told there what becomes of it: this is refused."""
    sender, to = parse_jid(f"robot@{CONFERENCE}"), parse_jid(f"nobody-here@{DOMAIN}")
    for machine, name in zip(spread, ("far-1", "far-2"), strict=True):
        said = make("message", child("body", "x"), from_=str(sender), to_=str(to), type_="chat", id_=name)
        with as_request(machine):
            assert machine.gateway.parts.sending.send(said, sender, to) is None
            outcome = machine.gateway.parts.sending.outcome(sender, name)
        assert outcome is not None
        assert outcome.state == "accepted"


def test_light_rooms_reach_the_accounts(spread: tuple[Machine, Machine], listen: Listen) -> None:
    first, second = spread
    juliet, nurse = listen(second, "juliet"), listen(first, "nurse")
    made = first.client.post("/api/rooms", json={"name": "garden", "subject": "roses"}, headers=basic(f"juliet@{DOMAIN}"))
    assert made.status_code == 201, made.text
    room = told(made)["id"]
    added = second.client.post(f"/api/rooms/{room}/users", json={"user": f"nurse@{DOMAIN}"}, headers=basic(f"juliet@{DOMAIN}"))
    assert added.status_code == 204, added.text
    for number, machine in enumerate(spread):
        sent = machine.client.post(f"/api/rooms/{room}/messages", json={"body": f"rose {number}"}, headers=basic(f"nurse@{DOMAIN}"))
        assert sent.status_code in (200, 201), sent.text
        for listener in (juliet, nurse):
            listener.until(lambda s, number=number: s.findtext("body") == f"rose {number}")  # type: ignore[misc]
    history = first.client.get(f"/api/rooms/{room}/messages", headers=basic(f"juliet@{DOMAIN}"))
    assert "rose 1" in history.text


def test_figures_tell_the_domains_of_each_machine(spread: tuple[Machine, Machine]) -> None:
    first, second = (machine.client.get("/metrics", headers=basic(f"admin@{DOMAIN}")).text for machine in spread)
    assert f'xmpp_rest_cluster_owner{{domain="{DOMAIN}"}} 1' in first
    assert f'xmpp_rest_cluster_owner{{domain="{CONFERENCE}"}} 0' in first
    assert f'xmpp_rest_cluster_owner{{domain="{CONFERENCE}"}} 1' in second
    for machine in spread:
        status = machine.client.get("/status", headers=basic(f"admin@{DOMAIN}"))
        assert [each["node"] for each in told(status)["cluster"]["owners"]] == ["web1", "web2", "web2"]
        ready = machine.client.get("/readyz")
        assert ready.status_code == 200, ready.text


def test_who_the_gateway_keeps_in_a_room_comes_in_again_when_its_owner_has_ended(spread: tuple[Machine, Machine]) -> None:
    first, second = spread
    room = parse_jid(f"lodge@{CONFERENCE}")
    options = [{"name": "persistent", "value": "true"}]
    assert first.run("create_room_with_opts", room="lodge", service=CONFERENCE, host=DOMAIN, options=options).status_code == 200
    joined = second.gateway.parts.room_calls.join(parse_jid(f"juliet@{DOMAIN}"), room, Wish(stay=True), Wait(30))
    assert joined.view is not None, joined.refusal
    assert joined.view.state == "in"
    (rooms,) = [each for each in second.gateway.parts.apart if each.base.domain == CONFERENCE]
    epoch = rooms.base.cluster.keeper.epoch
    shared = rooms.base.cluster.shared()
    until(lambda: shared.take(CONFERENCE, "nobody", "nobody", shared.leases()[CONFERENCE]) is not None)  # as where it has been frozen
    until(lambda: owner_in(first, CONFERENCE)["epoch"] > epoch + 1)

    def occupants() -> list[str]:
        answer = first.run("get_room_occupants", room="lodge", service=CONFERENCE)
        return [each["nick"] for each in told(answer)] if answer.status_code == 200 else []

    until(lambda: occupants() == ["juliet"], 30)
    move(first, CONFERENCE, "web2")
    wait_settled(first, second)
    assert occupants() == ["juliet"]  # an orderly change keeps it in


def test_occupants_stay_in_the_rooms_that_a_process_keeps_where_it_has_lost_another_lease(
    spread: tuple[Machine, Machine], listen: Listen
) -> None:
    first, second = spread
    room = f"keep@{CONFERENCE}"  # not persistent: it is there as long as somebody is in
    nurse = listen(first, "nurse")
    join(first, nurse, room, "nurse")
    (light,) = [each for each in second.gateway.parts.apart if each.base.domain == LIGHT]
    shared, epoch, kept = light.base.cluster.shared(), light.base.cluster.keeper.epoch, owner_in(first, CONFERENCE)["epoch"]
    until(lambda: shared.take(LIGHT, "nobody", "nobody", shared.leases()[LIGHT]) is not None)  # as where it has been frozen
    until(lambda: owner_in(first, LIGHT)["epoch"] > epoch + 1)
    until(lambda: owner_in(first, CONFERENCE)["epoch"] == kept + 1)
    assert owners(first)[CONFERENCE] == "web2"  # no other node has come first
    occupants = first.run("get_room_occupants", room="keep", service=CONFERENCE)
    assert [each["nick"] for each in told(occupants)] == ["nurse"]
    said = ask(first, {"kind": "message", "to": room, "type": "groupchat", "body": "still here"}, "nurse")
    assert said.status_code == 202, said.text
    assert nurse.until(lambda s: s.findtext("body") == "still here").get("type") == "groupchat"
    if owners(first)[LIGHT] != "web2":
        move(first, LIGHT, "web2")
    wait_settled(first, second)


def test_a_node_that_drains_owns_nothing_and_one_that_does_not_may_again(spread: tuple[Machine, Machine]) -> None:
    first, second = spread
    with as_request(second):
        assert second.gateway.parts.cluster.drain() == ""
    until(lambda: set(owners(first).values()) == {"web1"})
    with as_request(second):
        assert second.gateway.parts.cluster.undrain() == ""
        refusal = second.gateway.parts.cluster.move(CONFERENCE, "web3")
    assert "there is no living node web3" in refusal
    for domain in (CONFERENCE, LIGHT):
        move(first, domain, "web2")
    wait_settled(first, second)


def test_bots_at_a_domain_of_another_owner_are_told_and_answer(add_machine: AddMachine) -> None:
    with serving() as service:
        service.answers["/bot"] = Answer(200, "<iq type='result'><answer xmlns='urn:example:quiz'>42</answer></iq>", XML)
        given = {
            "cluster_spread": "yes", "callback_bot_url": service.url("/bot"), "callback_bot_address": CONFERENCE,
            "callback_bot_content_type": XML,
        }  # fmt: skip
        first = add_machine("web1", **given)
        register_users(first.app)
        second = add_machine("web2", **given)
        move(first, CONFERENCE, "web2")
        iq = f"<iq type='get' id='q1' to='{CONFERENCE}'><ask xmlns='urn:example:quiz'/></iq>"
        for machine in (first, second):
            answer = machine.client.post("/rest", data=iq, content_type=XML, headers=basic("juliet"))
            assert (answer.status_code, "42" in answer.text) == (200, True), answer.text
            listed = machine.client.get("/rest/callbacks", headers=basic(f"admin@{DOMAIN}"))
            assert [each["name"] for each in told(listed)["callbacks"]] == ["bot"], listed.text


def test_a_node_that_is_set_otherwise_does_not_start(add_machine: AddMachine) -> None:
    add_machine("web1", cluster_spread="yes")
    with pytest.raises(CannotStart, match=r"\[cluster\] spread is\x20no here and yes at node web1; write the same on all nodes"):
        add_machine("web2")


def test_owners_reach_each_other_without_notifications(add_machine: AddMachine) -> None:
    first = add_machine("web1", cluster_spread="yes", cluster_notify="no")
    register_users(first.app)
    second = add_machine("web2", cluster_spread="yes", cluster_notify="no")
    move(first, CONFERENCE, "web2")
    for machine in (first, second):
        answer = ask(machine, {"kind": "iq", "type": "get", "to": CONFERENCE, "disco": True}, "juliet")
        assert answer.status_code == 200, answer.text
        node = machine.gateway.settings.cluster.node
        sent = ask(machine, {"kind": "message", "to": f"nowhere@{CONFERENCE}", "type": "groupchat", "body": "x", "id": node}, "juliet")
        assert sent.status_code == 202, sent.text
        until(lambda node=node: told(first.client.get(f"/rest/outcome/{node}", headers=basic("juliet")))["state"] == "refused")  # type: ignore[misc]
