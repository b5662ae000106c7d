"""The tables of accounts that ejabberd and MongooseIM have in common: rosters, vCards, private XML, privacy lists and last activity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.importing import records as r
from xmpp_rest.importing.sql.accounts import USERS, Attached, SourceAccount, each_row
from xmpp_rest.importing.sql.database import Row, SourceTable
from xmpp_rest.protocol.element import is_text
from xmpp_rest.protocol.parse import parse_stored, parse_text
from xmpp_rest.protocol.privacy import IQ, MESSAGE, PRESENCE_IN, PRESENCE_OUT, PrivacyItem
from xmpp_rest.protocol.stanza import child, make

_SUBSCRIPTIONS = {"B": "both", "T": "to", "F": "from", "N": "none"}
_ASKS_OUT, _ASKS_IN = ("O", "B", "S"), ("I", "B")
_PRIVACY_KINDS = {"j": "jid", "g": "group", "s": "subscription", "n": ""}
_WAYS = {"match_message": MESSAGE, "match_iq": IQ, "match_presence_in": PRESENCE_IN, "match_presence_out": PRESENCE_OUT}
BLOCKED_CONTACTS = "Blocked contacts"  # the list that ejabberd makes for XEP-0191
_YES = frozenset(("1", "t", "true", "y", "yes"))


def account_tables(host: str, without: str = "") -> list[Attached]:
    """These tables, which name the domain of the account in the column `host`, if at all.

    `without`: the namespace of elements in private storage that are none of the account's.
    """
    private = f'"private_storage"."namespace" <> \'{without}\''
    of = {host: f"{USERS}.{host}", "username": f"{USERS}.username"}
    contact = {"jid": "", "nick": "", "subscription": "N", "ask": "N", "askmessage": "", "approved": False}
    in_group = {host: f"rosterusers.{host}", "username": "rosterusers.username", "jid": "rosterusers.jid"}
    in_force = {host: f"privacy_list.{host}", "username": "privacy_list.username", "name": "privacy_list.name"}
    rule = {"t": "n", "value": "", "action": "", "ord": 0, "match_all": False, **dict.fromkeys(_WAYS, False)}
    kinds = r.KINDS
    return [
        Attached(
            kinds[r.RosterItem],
            (SourceTable("rosterusers", contact, of), SourceTable("rostergroups", {"grp": ""}, in_group, optional=True)),
            ("rosterusers.jid",),
            _roster,
        ),
        Attached(kinds[r.Card], (SourceTable("vcard", {"vcard": ""}, of),), (), each_row(kinds[r.Card], _card)),
        Attached(
            kinds[r.Private],
            (SourceTable("private_storage", {"data": ""}, of, also=private),),
            ("private_storage.namespace",),
            each_row(kinds[r.Private], _private),
        ),
        Attached(
            kinds[r.PrivacyList],
            (
                SourceTable("privacy_list", {"name": "", "id": 0}, of),
                SourceTable("privacy_default_list", {"default": ""}, in_force, optional=True, renamed={"default": "username"}),
                SourceTable("privacy_list_data", rule, {"id": "privacy_list.id"}, optional=True),
            ),
            ("privacy_list.id", "privacy_list_data.ord"),
            _privacy,
        ),
        Attached(kinds[r.LastSeen], (SourceTable("last", {"seconds": 0, "state": ""}, of),), (), each_row(kinds[r.LastSeen], _last)),
    ]


def is_true(value: Any) -> bool:
    """Whether a column of any database means yes."""
    return value.strip().lower() in _YES if isinstance(value, str) else bool(value)


def parsed(text: str | bytes) -> Element:
    """The element of a column. Raises BadXML."""
    data = text.decode(errors="replace") if isinstance(text, bytes) else text
    return parse_text(data) if "<!" in data or "<?" in data else parse_stored(data)


def _roster(_: SourceAccount, rows: Iterator[Row]) -> Iterator[r.AccountPart]:
    for jid, same in groupby(rows, lambda row: str(row["jid"])):
        row, *more = same
        groups = dict.fromkeys(each["grp"] for each in (row, *more) if each["grp"] and is_text(each["grp"]))
        asks, subscription = row["ask"], _SUBSCRIPTIONS.get(row["subscription"], "none")
        request = None
        if asks in _ASKS_IN and is_text(row["askmessage"]):
            request = make("presence", child("status", row["askmessage"]), type="subscribe", from_=jid)
        yield r.RosterItem(
            jid,
            subscription,
            row["nick"],
            tuple(groups),
            ask_out=asks in _ASKS_OUT,
            ask_in=asks in _ASKS_IN,
            approved=is_true(row["approved"]),
            listed=(subscription, asks) != ("none", "I"),  # COMPAT ejabberd: which its clients are not shown
            request=request,
        )


def _card(row: Row) -> Iterator[r.AccountPart]:
    card = parsed(row["vcard"])
    if card.tag != "{vcard-temp}vCard":
        raise ValueError(f"the vCard is an element {card.tag}")
    yield r.Card(card)


def _private(row: Row) -> Iterator[r.AccountPart]:
    yield r.Private(parsed(row["data"]))


def _last(row: Row) -> Iterator[r.AccountPart]:
    if (when := int(row["seconds"])) > 0:
        yield r.LastSeen(float(when), row["state"])


def _privacy(_: SourceAccount, rows: Iterator[Row]) -> Iterator[r.AccountPart]:
    for name, same in groupby(rows, lambda row: str(row["name"])):
        listed = list(same)
        try:
            items = tuple(_rule(row) for row in listed if row["action"])
        except (ValueError, KeyError) as e:
            yield r.LeftOut(r.KINDS[r.PrivacyList], f"the list {name!r} has a rule that cannot be read: {e}")
            continue
        default = bool(listed[0]["default"])
        if name == BLOCKED_CONTACTS and default and all(_is_block(item) for item in items):
            yield from (r.BlockedAddress(item.value) for item in items)
        else:
            yield r.PrivacyList(name, items, default)


def _rule(row: Row) -> PrivacyItem:
    kind, value = _PRIVACY_KINDS[row["t"]], row["value"]
    if kind == "subscription":
        value = _SUBSCRIPTIONS.get(value, value)  # "B" in old databases of ejabberd
    ways = frozenset(way for column, way in _WAYS.items() if is_true(row[column]))
    every = is_true(row["match_all"]) or not ways
    allow = {"a": True, "d": False, "b": False}[row["action"]]  # COMPAT MongooseIM: b is a block
    return PrivacyItem(int(row["ord"]), allow, kind, value if kind else "", frozenset() if every else ways)


def _is_block(item: PrivacyItem) -> bool:
    return item.kind == "jid" and not item.allow and not item.ways
