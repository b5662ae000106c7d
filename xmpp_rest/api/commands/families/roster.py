"""Rosters (spec commands-api §12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.service.rosters import SUBSCRIPTIONS, Item

ANY = "any"
# COMPAT ejabberd: what it says of contacts that a command has made
PENDING = {"none": "undefined", "in": "in", "out": "out"}
Pair = tuple[JID, Item]


def _owner(services: Services, user: str, host: str) -> JID:
    try:
        return services.address(user, host)
    except GatewayError as e:
        raise rejected("Invalid 'localuser'/'localserver'") from e


def _contact(user: str, host: str) -> str:
    try:
        return str(local_jid(user, host) if user else parse_jid(host).bare)
    except InvalidJID as e:
        raise rejected("Invalid 'user'/'server'") from e


@command("add_rosteritem", 1)
def add_rosteritem(
    services: Services, localuser: str, localhost: str, user: str, host: str, nick: str, groups: list[str], subs: str
) -> bool:
    owner, contact = _owner(services, localuser, localhost), _contact(user, host)
    if subs not in SUBSCRIPTIONS:
        raise rejected("Invalid subscription")
    services.rosters.set(owner, Item(contact, nick, subs, tuple(groups)))
    return True


@command("add_rosteritem")
def add_rosteritem_v0(
    services: Services, localuser: str, localhost: str, user: str, host: str, nick: str, group: str, subs: str
) -> bool:
    groups = [g for g in group.split(";") if g]
    done: bool = add_rosteritem.run(services, localuser, localhost, user, host, nick, groups, subs)
    return done


@command("delete_rosteritem")
def delete_rosteritem(services: Services, localuser: str, localhost: str, user: str, host: str) -> bool:
    services.rosters.remove(_owner(services, localuser, localhost), _contact(user, host))
    return True


@command("get_roster")
def get_roster(services: Services, user: str, host: str) -> list[tuple[str, str, str, str, list[str]]]:
    items = services.rosters.items(services.address(user, host))
    return [(i.jid, i.name, i.subscription, PENDING[i.pending], list(i.groups)) for i in items]


@command("get_roster_count")
def get_roster_count(services: Services, user: str, host: str) -> int:
    return len(services.rosters.items(services.address(user, host)))


@command("push_alltoall")
def push_alltoall(services: Services, host: str, group: str) -> bool:
    users = sorted(services.accounts.users())
    for owner in users:
        for contact in users:
            if contact != owner:
                item = Item(f"{contact}@{services.domain}", contact, "both", (group,))
                services.rosters.set(JID(owner, services.domain, ""), item)
    return True


def _list(_: Services, pairs: Iterator[Pair]) -> list[Pair]:
    return list(pairs)


def _delete(services: Services, pairs: Iterator[Pair]) -> list[Pair]:
    found = list(pairs)
    for owner, item in found:
        services.rosters.remove(owner, item.jid)
    return found


ACTIONS: dict[str, Callable[[Services, Iterator[Pair]], list[Pair]]] = {"list": _list, "delete": _delete}


@command("process_rosteritems")
def process_rosteritems(
    services: Services, action: str, subs: str, asks: str, users: str, contacts: str
) -> list[tuple[str, str]]:
    if action not in ACTIONS:
        raise internal_error()  # COMPAT ejabberd
    pairs = ACTIONS[action](services, _matching(services, subs, asks, users, contacts))
    return [(str(owner), item.jid) for owner, item in pairs]


def _matching(services: Services, subs: str, asks: str, users: str, contacts: str) -> Iterator[Pair]:
    for owner in services.rosters.owners(services.domain):
        if not _is_like(str(owner), users):
            continue
        for item in services.rosters.items(owner):
            # COMPAT ejabberd: what is stored with another word never matches
            fits = item.subscription in SUBSCRIPTIONS and _is_one(item.subscription, subs) and _is_one(item.pending, asks)
            if fits and _is_like(item.jid, contacts):
                yield owner, item


def _is_one(word: str, words: str) -> bool:
    return words == ANY or word in words.split(":")


def _is_like(jid: str, patterns: str) -> bool:
    return patterns == ANY or any(fnmatchcase(jid, pattern) for pattern in patterns.split(":"))


COMMANDS = (
    add_rosteritem, add_rosteritem_v0, delete_rosteritem, get_roster, get_roster_count, push_alltoall, process_rosteritems,
)  # fmt: skip
