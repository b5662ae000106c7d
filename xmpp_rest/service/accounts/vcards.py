"""vCards of accounts (XEP-0054; the store `vcard` in Prosody's form: the table is the element)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement

from drivers import Driver, StorageError, Table
from drivers.stanzas import stanza_table, stanza_text
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML, is_ncname, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.accounts.published_cards import PublishedCards, require_photo

log = logging.getLogger("xmpp_rest.storage")

VCARD = "vcard"  # the store
NAMESPACE = "vcard-temp"
NICKS = ("NICKNAME", "FN")
ELSEWHERE = (
    "The account's vCard is published with PEP (urn:xmpp:vcard4), and Prosody ignores the store vcard beside that; "
    "set_vcard, or an iq of the account with a vCard, changes what is published"
)
TEL = "TEL"  # XEP-0054 §3: kinds are empty elements beside the NUMBER


def tag(name: str) -> str:
    """The tag of a field. Raises BadXML for an invalid name."""
    if not is_ncname(name):
        raise BadXML(f"{name!r} is not a name of a vCard field; names are upper-case words such as FN")
    return f"{{{NAMESPACE}}}{name}"


class VCards:
    """The vCards of accounts: the store `vcard`, or those that Prosody's vcard_legacy and vcard4 have published (`published_cards`).

    Methods raise StorageError; those that write raise BadXML for names and texts that XML cannot hold, and GatewayError, card-elsewhere.
    """

    def __init__(self, driver: Driver, published: PublishedCards) -> None:
        self._driver = driver
        self._published = published

    def get(self, jid: JID) -> Element | None:
        """The `<vCard/>`, or None if there is none."""
        return self.seen_by(jid, jid)

    def seen_by(self, jid: JID, reader: JID) -> Element | None:
        """The parts of the vCard that `reader` may see: published items have access rules."""
        stored = self._stored(jid)
        return self._published.seen_by(jid, reader) if stored is None else stored

    def nick(self, jid: JID) -> str:
        """The name in the account's vCard: its NICKNAME, else its FN, else ""."""
        stored = self._stored(jid)
        card = self._published.seen_by(jid, jid, photo=False) if stored is None else stored
        texts = (next(iter(values(card, name)), "") for name in NICKS) if card is not None else iter(())
        return next(filter(None, texts), "")

    def store(self, jid: JID, card: Element) -> None:
        """Replace the vCard."""
        self._update(jid, lambda _: card)

    def set_field(self, jid: JID, name: str, content: str) -> None:
        """Set the text of the field `name`; the other fields are kept."""
        field = Element(tag(name))
        field.text = content

        def change(card: Element) -> Element:
            for old in card.findall(field.tag):
                card.remove(old)
            card.append(field)
            return card

        self._update(jid, change)

    def set_values(self, jid: JID, name: str, subname: str, values: list[str]) -> None:
        """Set the texts of the part `subname` of the field `name`; other fields and parts are kept."""
        field, part, number = tag(name), tag(subname), tag("NUMBER")

        def change(card: Element) -> Element:
            (_set_numbers if name == TEL else _set_parts)(card, field, part, number, values)
            return card

        self._update(jid, change)

    def require_stored(self, jid: JID) -> None:
        """Raise GatewayError, card-elsewhere, if a published card hides the store `vcard`."""
        if self._published.has_card(jid):
            raise GatewayError("card-elsewhere", ELSEWHERE)

    def _stored(self, jid: JID) -> Element | None:
        return _element(jid, self._driver.load(jid.local, jid.domain, VCARD))

    def _update(self, jid: JID, change: Callable[[Element], Element]) -> None:
        if self._published.change(jid, self._stored(jid), change):
            self._driver.store(jid.local, jid.domain, VCARD, None)  # COMPAT Prosody: removed at the next login, unread
            return
        photo = self._published.photo(jid)

        def step(table: Table | None) -> Table:
            card, before = _element(jid, table), _element(jid, table)
            after = change(Element(tag("vCard")) if card is None else card)
            require_photo(photo, before, after)
            return stanza_table(serialise(after))

        self._driver.update(jid.local, jid.domain, VCARD, step)


def values(card: Element, name: str, subname: str = "") -> list[str]:
    """The texts of a field, or of its part `subname`; for TEL the numbers of that kind. Raises BadXML for bad names."""
    fields = card.findall(tag(name))
    if not subname:
        return ["".join(f.itertext()) if not len(f) else f.text or "" for f in fields]
    part, number = tag(subname), tag("NUMBER")
    if name == TEL:
        return [f.findtext(number, "") for f in fields if f.find(part) is not None]
    return [p.text or "" for f in fields for p in f.findall(part)]


def _element(jid: JID, table: Table | None) -> Element | None:
    """The element of a table; None for an invalid one, as the account may write anything to its store."""
    if table is None:
        return None
    try:
        card = parse_text(stanza_text(table))
    except (StorageError, BadXML) as e:
        log.info("the store %s of %s holds no vCard: %s", VCARD, jid, e)
        return None
    return card if card.tag == tag("vCard") else None


def _set_parts(card: Element, field: str, part: str, _number: str, texts: list[str]) -> None:
    found = card.find(field)
    owner = SubElement(card, field) if found is None else found
    for old in owner.findall(part):
        owner.remove(old)
    for text in texts:
        SubElement(owner, part).text = text


def _set_numbers(card: Element, field: str, kind: str, number: str, texts: list[str]) -> None:
    for old in card.findall(field):
        if old.find(kind) is not None:
            card.remove(old)
    for text in texts:
        telephone = SubElement(card, field)
        SubElement(telephone, kind)
        SubElement(telephone, number).text = text
