"""Writes accounts as a file of XEP-0227, piece by piece."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from xmpp_rest.importing import records as r
from xmpp_rest.importing.xep0227.credentials import HASHES
from xmpp_rest.importing.xep0227.names import ARCHIVE, BANNED, EXTENDED, ITEMS, OFFLINE, OWNER_PUBSUB, PIE, PIE_SCRAM, PUBSUB, PUBSUB_OWNER
from xmpp_rest.importing.xep0227.nodes import configuration
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.namespaces import BLOCKING, DELAY, FORWARD, MAM, PRIVACY, ROSTER
from xmpp_rest.protocol.privacy import write_list
from xmpp_rest.protocol.stanza import child, make

HEAD = f"<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='{PIE}' xmlns:p='{EXTENDED}'>\n"
Elements = Iterator[Element]
Left = Callable[[str, r.LeftOut], None]


class AccountWriting:
    """Yields the text of a file, line by line. `left` is told what is left out, with its account."""

    def __init__(self, left: Left, *, twice: bool = False) -> None:
        """`twice`: encode SCRAM credentials twice, as ejabberd does, and expects."""
        self._left = left
        self._twice = twice

    def file(self, host: str, accounts: Iterable[r.Account]) -> Iterator[str]:
        """The text of a file with the accounts of one host. Their parts must be in the order of OwnAccounts."""
        yield HEAD + f"<host jid={quoteattr(host)}>\n"
        for account in accounts:
            yield from self._user(account)
        yield "</host>\n</server-data>\n"

    def _user(self, account: r.Account) -> Iterator[str]:
        first: list[Any] = []
        rest: Iterator[Any] = iter(())
        for part in account.parts:
            if not isinstance(part, (r.Password, r.Scram, r.Made, r.Disabled)):
                rest = chain([part], account.parts)
                break
            first.append(part)
        yield f"<user name={quoteattr(account.localpart)}{_attributes(first)}>\n"
        yield from self._lines(account, (self._scram(part) for part in first if isinstance(part, r.Scram)))
        bans = [self._ban(part) for part in first if isinstance(part, r.Disabled)]
        for kind, parts in groupby(self._readable(account, rest), type):
            more = bans if kind is r.Private else []
            yield from self._group(account, kind, chain(parts, map(r.Private, more)))
            bans = [] if more else bans
        if bans:
            yield from self._group(account, r.Private, map(r.Private, bans))
        yield "</user>\n"

    def _readable(self, account: r.Account, parts: Iterator[Any]) -> Iterator[Any]:
        for part in parts:
            if isinstance(part, r.LeftOut):
                self._left(f"{account.localpart}@{account.host}", part)
            else:
                yield part

    def _group(self, account: r.Account, kind: type, parts: Iterator[Any]) -> Iterator[str]:
        """What one container holds."""
        if kind is r.OfflineMessage:
            yield from self._container(account, OFFLINE, (_offline(part, account.host) for part in parts))
        elif kind is r.Archived:
            yield from self._container(account, ARCHIVE, map(_archived, parts))
        elif kind is r.PepNode:
            yield from self._container(account, OWNER_PUBSUB, chain.from_iterable(map(_node, parts)))
        elif kind is r.PepItem:
            by_node = groupby(parts, lambda part: part.node)
            yield from self._container(account, ITEMS, (_items(node, items) for node, items in by_node))
        elif kind in _WHOLE:
            yield from self._lines(account, _WHOLE[kind](parts))

    def _container(self, account: r.Account, name: str, elements: Elements) -> Iterator[str]:
        namespace, _, local = name[1:].rpartition("}") if name[:1] == "{" else (PIE, "", name)
        yield f"<{local}>\n" if namespace == PIE else f"<{local} xmlns='{namespace}'>\n"
        yield from self._lines(account, elements, namespace)
        yield f"</{local}>\n"

    def _lines(self, account: r.Account, elements: Elements, namespace: str = PIE) -> Iterator[str]:
        for element in elements:
            try:
                yield serialise(element, namespace) + "\n"
            except BadXML as e:
                self._left(f"{account.localpart}@{account.host}", r.LeftOut(element.tag.rpartition("}")[2], str(e)))

    def _text(self, value: bytes) -> str:
        once = b64encode(value)
        return (b64encode(once) if self._twice else once).decode()

    def _scram(self, scram: r.Scram) -> Element:
        values = {"iter-count": str(scram.iterations), "salt": self._text(scram.salt)}
        values |= {"server-key": self._text(scram.server_key), "stored-key": self._text(scram.stored_key)}
        parts = (child(f"{{{PIE_SCRAM}}}{name}", text) for name, text in values.items())
        return make(f"{{{PIE_SCRAM}}}scram-credentials", *parts, mechanism=scram.mechanism)

    def _ban(self, ban: r.Disabled) -> Element:
        """A ban as ejabberd keeps it, with the credentials in it: nobody can log in where it is not understood."""
        ns = BANNED.removesuffix("banned")
        texts = {"reason": ban.reason, "lastreason": ban.last_status}
        texts |= {name: write_datetime(when) for name, when in (("bandate", ban.when), ("lastdate", ban.last_when)) if when is not None}
        element = make(BANNED, *(child(f"{ns}{name}", text) for name, text in texts.items() if text))
        for each in ban.credentials[:1]:
            if isinstance(each, r.Password):
                element.append(child(f"{ns}password", each.text))
                continue
            hash_name = next(name for name, mechanism in HASHES.items() if mechanism == each.mechanism)
            values = {"storedkey": _once(each.stored_key), "serverkey": _once(each.server_key), "salt": _once(each.salt)}
            values |= {"hash": hash_name, "iterationcount": str(each.iterations)}
            element.append(make(f"{ns}password", *(child(f"{ns}{name}", text) for name, text in values.items())))
        return element


def _once(value: bytes) -> str:
    return b64encode(value).decode()


def _attributes(parts: Iterable[Any]) -> str:
    found = {}
    for part in parts:
        match part:
            case r.Password(text):
                found["password"] = text
            case r.Made(when):
                found["p:created"] = str(int(when))
            case r.Disabled():
                found["p:disabled"] = "true"
    return "".join(f" {name}={quoteattr(value)}" for name, value in found.items())


def _offline(part: r.OfflineMessage, host: str) -> Element:
    message = make(part.stanza.tag, *part.stanza)
    message.attrib.update(part.stanza.attrib)
    message.append(child(f"{{{DELAY}}}delay", "", **{"from": host, "stamp": write_datetime(part.when)}))
    return message


def _archived(part: r.Archived) -> Element:
    delay = child(f"{{{DELAY}}}delay", stamp=write_datetime(part.when))
    return make(f"{{{MAM}}}result", make(f"{{{FORWARD}}}forwarded", delay, part.stanza), id=part.id)


def _roster(parts: Iterator[r.RosterItem]) -> Elements:
    kept = list(parts)
    items = [_item(part) for part in kept if part.listed]
    if items:
        yield make(f"{{{ROSTER}}}query", *items)
    for part in kept:
        if part.ask_in:
            yield make("presence", type="subscribe", from_=part.jid) if part.request is None else part.request


def _item(part: r.RosterItem) -> Element:
    groups = (child(f"{{{ROSTER}}}group", group) for group in part.groups)
    ask, approved = "subscribe" if part.ask_out else None, "true" if part.approved else None
    return make(f"{{{ROSTER}}}item", *groups, jid=part.jid, subscription=part.subscription, name=part.name, ask=ask, approved=approved)


def _privacy(parts: Iterator[r.PrivacyList]) -> Elements:
    kept = list(parts)
    default = [child(f"{{{PRIVACY}}}default", name=part.name) for part in kept if part.default]
    yield make(f"{{{PRIVACY}}}query", *default, *(write_list(part.name, part.items) for part in kept))


def _blocked(parts: Iterator[r.BlockedAddress]) -> Elements:
    yield make(f"{{{BLOCKING}}}blocklist", *(child(f"{{{BLOCKING}}}item", jid=part.jid) for part in parts))


def _preferences(parts: Iterator[r.ArchivePreferences]) -> Elements:
    for part in parts:
        lists = {"always": part.always, "never": part.never}
        elements = (make(f"{{{MAM}}}{name}", *(child(f"{{{MAM}}}jid", jid) for jid in jids)) for name, jids in lists.items())
        yield make(f"{{{MAM}}}prefs", *elements, default=part.default)


def _node(part: r.PepNode) -> Elements:
    ns = f"{{{PUBSUB_OWNER}}}"
    yield make(f"{ns}configure", configuration(part.config), node=part.name)
    if part.affiliations:
        entries = (child(f"{ns}affiliation", jid=jid, affiliation=word) for jid, word in part.affiliations.items())
        yield make(f"{ns}affiliations", *entries, node=part.name)
    if part.subscribers:
        entries = (child(f"{ns}subscription", jid=jid, subscription="subscribed") for jid in part.subscribers)
        yield make(f"{ns}subscriptions", *entries, node=part.name)


def _items(node: str, parts: Iterator[r.PepItem]) -> Element:
    items = (make(f"{{{PUBSUB}}}item", part.payload, id=part.id, publisher=part.publisher) for part in parts)
    return make(f"{{{PUBSUB}}}items", *items, node=node)


def _elements(parts: Iterator[r.Card]) -> Elements:
    return (part.element for part in parts)


def _private(parts: Iterator[r.Private]) -> Elements:
    yield make("{jabber:iq:private}query", *(part.element for part in parts))


_WHOLE: dict[type, Callable[[Iterator[Any]], Elements]] = {
    r.RosterItem: _roster,
    r.Card: _elements,
    r.Private: _private,
    r.PrivacyList: _privacy,
    r.BlockedAddress: _blocked,
    r.ArchivePreferences: _preferences,
}
"""Kind of parts → what makes the elements of all of them."""
