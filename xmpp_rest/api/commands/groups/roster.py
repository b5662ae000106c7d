"""Rosters (commands-api §12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.groups.accounts import account
from xmpp_rest.api.commands.many import FEW, begin, each
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.service.accounts.jobs import Job
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.roster import MAX_CONTACTS
from xmpp_rest.service.contacts.subscriptions import SUBSCRIPTIONS, Side, SubscriptionState

ANY = "any"
# COMPAT ejabberd: `undefined` is what it says of contacts that a command has made
PENDING = {"none": "undefined", "in": "in", "out": "out", "both": "in"}
SIDES = {True: Side.YES, False: Side.NONE}
SHOWN = 100  # characters of a group that job_status shows
Pair = tuple[JID, Contact]


def _owner(services: Services, user: str, host: str) -> JID:
    try:
        return services.address(user, host)
    except GatewayError as e:
        raise rejected("Invalid 'localuser'/'localserver'") from e


def _items(services: Services, owner: JID) -> list[Contact]:
    _, items = services.parts.contacts.items(owner)
    return items


def _contact(user: str, host: str) -> JID:
    try:
        return local_jid(user, host) if user else parse_jid(host).bare
    except InvalidJID as e:
        raise rejected("Invalid 'user'/'server'") from e


@command("add_rosteritem", 1)
def add_rosteritem(
    services: Services, localuser: str, localhost: str, user: str, host: str, nick: str, groups: list[str], subs: str
) -> bool:
    owner, contact = _owner(services, localuser, localhost), _contact(user, host)
    if subs not in SUBSCRIPTIONS:
        raise rejected("Invalid subscription")
    require_sendable(nick, *groups)
    services.parts.contacts.put(owner, contact, _item(contact, nick, subs, groups))
    return True


def _item(jid: JID, nick: str, subs: str, groups: list[str]) -> Contact:
    state = SubscriptionState(*(SIDES[sees] for sees in SUBSCRIPTIONS[subs]))
    return Contact(jid, state, nick, tuple(sorted(set(groups))))


@command("add_rosteritem")
def add_rosteritem_v0(
    services: Services, localuser: str, localhost: str, user: str, host: str, nick: str, group: str, subs: str
) -> bool:
    groups = [g for g in group.split(";") if g]
    done: bool = add_rosteritem.run(services, localuser, localhost, user, host, nick, groups, subs)
    return done


@command("delete_rosteritem")
def delete_rosteritem(services: Services, localuser: str, localhost: str, user: str, host: str) -> bool:
    services.parts.contacts.put(_owner(services, localuser, localhost), _contact(user, host), None)
    return True


Row = tuple[str, str, str, str, list[str]]


def _rows(services: Services, owner: JID, nick_of: Callable[[JID], str]) -> list[Row]:
    """The contacts, and whom the account sees because of its shared groups, each under the nick that `nick_of` tells."""
    accounts = services.accounts
    shared = services.groups.contacts(owner, accounts.users, lambda: [s.jid for s in services.parts.online.all()], accounts.exists)
    own = [(str(i.jid), i.name, i.state.subscription, PENDING[i.state.ask], list(i.groups)) for i in _items(services, owner)]
    rows = {
        jid: (jid, nick, "both" if jid in shared else subscription, pending, sorted({*groups, *shared.get(jid, ())}))
        for jid, nick, subscription, pending, groups in own
    }
    others = ((jid, labels) for jid, labels in shared.items() if jid not in rows)
    return [*rows.values(), *((jid, nick_of(parse_jid(jid)), "both", PENDING["none"], labels) for jid, labels in others)]


@command("get_roster")
def get_roster(services: Services, user: str, host: str) -> list[Row]:
    return _rows(services, services.address(user, host), services.parts.vcards.nick)


@command("get_roster_count")
def get_roster_count(services: Services, user: str, host: str) -> int:
    return len(_rows(services, services.address(user, host), lambda _: ""))


@command("push_alltoall")
def push_alltoall(services: Services, host: str, group: str) -> bool:
    services.require_host(host)
    require_sendable(group)
    names = services.accounts.some(MAX_CONTACTS + 2)
    if len(names) > MAX_CONTACTS + 1:
        raise rejected(f"There are more accounts than a roster holds contacts: {MAX_CONTACTS}")
    items = [_item(JID(user, services.domain, ""), user, "both", [group]) for user in names]
    if len(items) > FEW:
        begin(services, "push_alltoall", lambda job: _push_all(services, items, job), group[:SHOWN])
        return True
    for owner in items:
        _push(services, items, owner)
    return True


def _push_all(services: Services, items: list[Contact], job: Job) -> None:
    job.total(len(items))
    each(services, job, items, lambda owner: _push(services, items, owner))


def _push(services: Services, items: list[Contact], owner: Contact) -> bool:
    """Make all the others contacts of one account, unless it was removed meanwhile."""
    if not services.accounts.exists(owner.jid):
        return False
    services.parts.contacts.put_all(owner.jid, [item for item in items if item is not owner])
    return True


def _list(_: Services, pairs: Iterator[Pair]) -> list[Pair]:
    return list(pairs)


def _delete(services: Services, pairs: Iterator[Pair]) -> list[Pair]:
    found = list(pairs)
    for owner, item in found:
        services.parts.contacts.put(owner, item.jid, None)
    return found


ACTIONS: dict[str, Callable[[Services, Iterator[Pair]], list[Pair]]] = {"list": _list, "delete": _delete}


@command("process_rosteritems")
def process_rosteritems(
    services: Services, action: str, subs: str, asks: str, users: str, contacts: str
) -> list[tuple[str, str]]:
    if action not in ACTIONS:
        raise internal_error(f"action: write one of {', '.join(ACTIONS)}")  # COMPAT ejabberd
    pairs = ACTIONS[action](services, _matching(services, subs, asks, users, contacts))
    return [(str(owner), str(item.jid)) for owner, item in pairs]


def _matching(services: Services, subs: str, asks: str, users: str, contacts: str) -> Iterator[Pair]:
    for owner in _owners(services, users):
        for item in _items(services, owner) if _is_like(str(owner), users) else ():
            fits = _is_one(item.state.subscription, subs) and _is_one(item.state.ask, asks)
            if fits and _is_like(str(item.jid), contacts):
                yield owner, item


def _owners(services: Services, patterns: str) -> Iterator[JID]:
    """The accounts that may be meant: those that are named, or where there is a pattern, all."""
    if patterns == ANY or any(sign in patterns for sign in "*?["):
        return (JID(user, services.domain, "") for user in services.accounts.users())
    named = dict.fromkeys(account(services, *name.rpartition("@")[::2]) for name in patterns.split(":"))
    return (jid for jid in named if jid is not None and services.accounts.exists(jid))


def _is_one(word: str, words: str) -> bool:
    return words == ANY or word in words.split(":")


def _is_like(jid: str, patterns: str) -> bool:
    return patterns == ANY or any(fnmatchcase(jid, pattern) for pattern in patterns.split(":"))


COMMANDS = (
    add_rosteritem, add_rosteritem_v0, delete_rosteritem, get_roster, get_roster_count, push_alltoall, process_rosteritems,
)  # fmt: skip
