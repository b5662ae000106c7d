"""Operations of rooms and rosters, as their number and size grow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from bench.growth import filling
from bench.growth.filling import OWNER
from bench.growth.measured import Figure, Figures, milliseconds
from bench.growth.places import DOMAIN, PASSWORD, House, Storage
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text

SERVICE = f"conference.{DOMAIN}"
USER = f"{OWNER}@{DOMAIN}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
ROOMS, PEOPLE, LIGHT, TOKENS = (10, 1_000, 10_000), (10, 100, 1_000), (10, 1_000, 5_000), (10, 100, 990)


def of_rooms(storage: Storage, size: int) -> Figures:
    """With so many rooms of others."""
    with storage.house() as house:
        _account(house)
        for n in range(size):
            house.command("create_room", room=f"room{n}", service=SERVICE, host=DOMAIN)
        numbers = count()

        def unregister() -> None:
            name = f"nurse{next(numbers)}"
            house.gateway.driver.store(name, DOMAIN, "accounts", {"password": PASSWORD})
            house.command("unregister", user=name, host=DOMAIN)

        calls: dict[str, Callable[[], object]] = {
            "get_user_subscriptions, none": lambda: house.command("get_user_subscriptions", user=OWNER, host=DOMAIN),
            "get_user_rooms, none": lambda: house.command("get_user_rooms", user=OWNER, host=DOMAIN),
            "unregister": unregister,
            "get_room_options": lambda: house.command("get_room_options", room="room7", service=SERVICE),
        }
        for name, call in calls.items():
            yield Figure(name, "ms", milliseconds(call))
        listed: dict[str, Callable[[], object]] = {
            "rooms_unused_list, none": lambda: house.command("rooms_unused_list", service=SERVICE, days=10),
            "muc_online_rooms_by_regex, none": lambda: house.command("muc_online_rooms_by_regex", service=SERVICE, regex="^nothing"),
        }
        for name, call in listed.items():
            yield Figure(name, "ms", milliseconds(call), flat=False)


def of_occupants(storage: Storage, size: int) -> Figures:
    """With so many occupants of one room, who are elsewhere."""
    with storage.house() as house:
        options = [{"name": "max_users", "value": "1000"}, {"name": "persistent", "value": "true"}]
        house.command("create_room_with_opts", room="balcony", service=SERVICE, host=DOMAIN, options=options)
        for n in range(size):
            _deliver(house, f"user{n}@montague.example/x", f"<presence to='balcony@{SERVICE}/nick{n}'>{MUC}</presence>")
        said = f"<message to='balcony@{SERVICE}' type='groupchat' id='m1'><body>{filling.BODY}</body></message>"
        yield Figure("message to a room", "ms", milliseconds(lambda: _deliver(house, "user0@montague.example/x", said)), flat=False)


def of_contacts(storage: Storage, size: int) -> Figures:
    """With so many contacts of one account."""
    with storage.house() as house:
        _account(house)
        filling.roster(house.gateway.driver, size)
        shown = count()

        def show() -> None:
            house.ask("POST", "/rest", {"kind": "presence", "show": ("away", "dnd")[next(shown) % 2]}, user=USER)

        yield Figure("change of presence", "ms", milliseconds(show), flat=False)
        one = f"contact{size // 2}@montague.example"
        said = f"<presence from='{one}/x' to='{USER}'/>"
        yield Figure("presence of a contact comes in", "ms", milliseconds(lambda: _deliver(house, f"{one}/x", said)))


def of_light_rooms(storage: Storage, size: int) -> Figures:
    """With so many MUC Light rooms of one account."""
    with storage.house() as house:
        _account(house)
        for n in range(size):
            house.ask("POST", "/api/rooms", {"name": f"room {n}", "subject": "s"}, user=USER)
        yield Figure(
            "list of the MUC Light rooms of a user", "ms", milliseconds(lambda: house.ask("GET", "/api/rooms", user=USER)), flat=False
        )


def of_tokens(storage: Storage, size: int) -> Figures:
    """With so many tokens of one account."""
    with storage.house() as house:
        _account(house)
        tokens, owner = Tokens(house.gateway.driver, DOMAIN), parse_jid(USER)
        for _ in range(size):
            tokens.issue(owner, ["xmpp:rest"], 3600)
        yield Figure("token for one with many", "ms", milliseconds(lambda: tokens.issue(owner, ["xmpp:rest"], 3600)))


STAGES: tuple[tuple[str, tuple[int, ...], Callable[[Storage, int], Figures]], ...] = (
    ("rooms", ROOMS, of_rooms),
    ("occupants", PEOPLE, of_occupants),
    ("contacts", ROOMS, of_contacts),
    ("light rooms", LIGHT, of_light_rooms),
    ("tokens", TOKENS, of_tokens),
)
"""Name, sizes and operations of each."""


def _account(house: House) -> None:
    house.gateway.parts.accounts.register(parse_jid(USER), PASSWORD)


def _deliver(house: House, sender: str, xml: str) -> None:
    stanza = parse_text(xml)
    stanza.set("from", sender)
    answer = house.gateway.parts.router.deliver(stanza, parse_jid(sender), parse_jid(stanza.attrib["to"]))
    if answer is not None:
        raise RuntimeError(f"{xml} was answered")
