"""Two owners: what goes from the accounts of one to an address of the other's, and back, arrives, whichever is killed or moved."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.live.callback import XML, Callback, Request
from tests.live.gateway import Sections
from tests.live.xmppserver import GATEWAY

from .clients import BROKEN, Numbering, check_first_seen, longest_pause
from .counted import EACH, SLACK, TWICE
from .machines import Machines, until
from .node import LEASE, Node

JSON = "application/json"
REFUSED = 503

LIGHT, CONFERENCE = f"muclight.{GATEWAY}", f"conference.{GATEWAY}"
ROMEO = f"romeo@{GATEWAY}"
BOTS = ("light", "room")
"""Of the accounts' owner: the first is in a room of MUC Light, the second has subscribed to one of XEP-0045, and both count."""


@pytest.fixture(scope="module")
def service() -> Iterator[Callback]:
    made = Callback()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def sections(service: Callback) -> Sections:
    """An owner for each domain, and bots among the accounts."""
    bots: Sections = {
        f"callback.{bot}": {
            "url": service.url(f"/{bot}"), "address": f"{bot}@{GATEWAY}", "content_type": XML, "kinds": "message", "invited_by": "anyone",
            "queue_size": 100_000, "queue_share": 100,
        }
        for bot in BOTS
    }  # fmt: skip
    return {"cluster": {"spread": "yes"}, "gateway": {"rooms_domain": LIGHT, "conference_domain": CONFERENCE}, **bots}


@pytest.fixture(scope="module")
def rooms(shared_machines: Machines) -> tuple[str, str]:
    """The addresses of a room of each kind, with romeo and a bot in it."""
    node = shared_machines.nodes[0]
    made = node.request("POST", "/api/rooms", json.dumps({"name": "counted", "subject": "x"}), JSON, "romeo")
    assert made.status == 201, made.data
    light = str(made.json()["id"])
    added = node.request("POST", f"/api/rooms/{light}/users", json.dumps({"user": f"{BOTS[0]}@{GATEWAY}"}), JSON, "romeo")
    assert added.status == 204, added.data
    options = [{"name": "persistent", "value": "true"}, {"name": "allow_subscription", "value": "true"}]
    command(node, "create_room_with_opts", room="counted", service=CONFERENCE, host=GATEWAY, options=options)
    for user in ("romeo", BOTS[1]):
        nodes = ["urn:xmpp:mucsub:nodes:messages"]
        command(node, "subscribe_room", user=user, host=GATEWAY, nick=user, room="counted", service=CONFERENCE, nodes=nodes)
    return f"{light}@{LIGHT}", f"counted@{CONFERENCE}"


def command(node: Node, name: str, **arguments: object) -> None:
    answer = node.request("POST", f"/api/{name}/v3", json.dumps(arguments), JSON, "admin")
    assert answer.status == 200, answer.data


def owner_of(node: Node, domain: str) -> str:
    """The name of the node that owns a domain, as this one knows; "" if that is not known."""
    try:
        return next((owner["node"] for owner in node.cluster()["owners"] if owner["domain"] == domain), "")
    except (KeyError, ValueError):
        return ""


def move(machines: Machines, domain: str, to: Node) -> None:
    moved = to.command_line("cluster", "move", domain, to.name)
    assert moved.returncode == 0, moved
    for node in machines.nodes:
        until(lambda node=node: owner_of(node, domain) == to.name)  # type: ignore[misc]


@pytest.fixture
def parted(machines: Machines) -> tuple[Node, Node]:
    """The owner of the accounts, and that of the rooms."""
    accounts, rooms = machines.nodes
    move(machines, GATEWAY, accounts)
    for domain in (LIGHT, CONFERENCE):
        move(machines, domain, rooms)
    machines.settle()
    return accounts, rooms


class Befalls(NamedTuple):
    """What happens to the two owners, and what clients of the one that is well may be told meanwhile."""

    name: str
    happen: Callable[[Machines, Node, Node], None]
    pause: float
    statuses: frozenset[int] = frozenset({202})


def rooms_killed(machines: Machines, accounts: Node, rooms: Node) -> None:
    rooms.kill()
    until(lambda: owner_of(accounts, CONFERENCE) == accounts.name)
    rooms.start()


def accounts_killed(machines: Machines, accounts: Node, rooms: Node) -> None:
    accounts.kill()
    until(lambda: owner_of(rooms, GATEWAY) == rooms.name)
    accounts.start()


def rooms_frozen(machines: Machines, accounts: Node, rooms: Node) -> None:
    rooms.freeze()
    try:
        for domain in (CONFERENCE, LIGHT):
            until(lambda domain=domain: owner_of(accounts, domain) == accounts.name)  # type: ignore[misc]
        time.sleep(1.0)
    finally:
        rooms.thaw()
    until(lambda: owner_of(rooms, CONFERENCE) == accounts.name)


def rooms_end(machines: Machines, accounts: Node, rooms: Node) -> None:
    rooms.stop()
    until(lambda: owner_of(accounts, CONFERENCE) == accounts.name)
    rooms.start()


def rooms_moved(machines: Machines, accounts: Node, rooms: Node) -> None:
    move(machines, CONFERENCE, accounts)
    move(machines, CONFERENCE, rooms)
    assert owner_of(accounts, GATEWAY) == accounts.name


def accounts_moved(machines: Machines, accounts: Node, rooms: Node) -> None:
    move(machines, GATEWAY, rooms)
    assert owner_of(accounts, CONFERENCE) == rooms.name


BEFALLS = (
    Befalls("rooms-killed", rooms_killed, 4.0),
    Befalls("accounts-killed", accounts_killed, 4.0, frozenset({202, REFUSED})),
    Befalls("rooms-end", rooms_end, 2.0),
    Befalls("rooms-moved", rooms_moved, 4.0),
    Befalls("accounts-moved", accounts_moved, 4.0),
)
FROZEN = Befalls("rooms-frozen", rooms_frozen, LEASE + 2)


@pytest.mark.parametrize("befalls", BEFALLS, ids=lambda befalls: befalls.name)
def test_nothing_is_lost_between_owners(
    machines: Machines, service: Callback, rooms: tuple[str, str], parted: tuple[Node, Node], befalls: Befalls
) -> None:
    count(machines, service, rooms, parted, befalls)


def test_nothing_is_lost_where_the_owner_of_rooms_is_frozen(
    machines: Machines, service: Callback, rooms: tuple[str, str], parted: tuple[Node, Node]
) -> None:
    count(machines, service, rooms, parted, FROZEN)


def count(machines: Machines, service: Callback, rooms: tuple[str, str], parted: tuple[Node, Node], befalls: Befalls) -> None:
    """Have clients send to rooms of each kind while it happens; all of it comes back, in order."""
    service.drain()
    well = parted[1] if befalls.happen is accounts_killed else parted[0]
    senders = [Numbering(nodes, room, ROMEO, "groupchat") for nodes, room in zip(([well], machines.nodes), rooms, strict=True)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.wait_for(EACH // 3)
    befalls.happen(machines, *parted)
    for sender in senders:
        sender.wait_for(max(EACH, sender.accepted + EACH // 3))
    for sender in senders:
        sender.end()
    came: dict[str, list[int]] = {bot: [] for bot in BOTS}

    def all_came() -> bool:
        for request in service.drain():
            if request.method == "POST" and (number := number_in(request)) is not None:
                came[request.path.strip("/")].append(number)
        return all(len(set(came[bot])) >= sender.accepted for bot, sender in zip(BOTS, senders, strict=True))

    try:
        while not all_came():  # the senders are faster than the rooms on a busy machine: it is to go on, however long that takes
            before = sum(map(len, came.values()))
            until(lambda before=before: all_came() or sum(map(len, came.values())) > before)  # type: ignore[misc]
    except TimeoutError:
        print(machines.tail())
    twice = [check_first_seen(came[bot], sender.accepted) for bot, sender in zip(BOTS, senders, strict=True)]
    pause = longest_pause(senders[0])
    print(f"{befalls.name}: {[sender.accepted for sender in senders]} sent, {twice} twice, a pause of {pause:.2f} s")
    assert sum(twice) < TWICE
    allowed = befalls.statuses | ({BROKEN} if befalls.happen is accounts_killed else set())
    assert {answer.status for answer in senders[0].answers} <= allowed
    assert pause < befalls.pause * SLACK


def number_in(request: Request) -> int | None:
    """Of the message, which may be wrapped in another one."""
    return next((int(each.text or "") for each in request.stanza.iter() if each.tag.rpartition("}")[2] == "body"), None)
