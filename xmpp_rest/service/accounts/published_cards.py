"""Published vCards: the vCard that Prosody's vcard_legacy and vcard4 store as published items (XEP-0292, XEP-0084; decision 0025)."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import AVATAR_DATA, AVATAR_METADATA, NICK
from xmpp_rest.protocol.vcard4 import CARD4, PHOTO, TEMP, as_temp, changed, same
from xmpp_rest.service.accounts.pep import Pep, PublishedItem
from xmpp_rest.threads.tasks import OrderLock

CARD = "urn:xmpp:vcard4"  # the node


class PublishedCards:
    """The published vCards, converted to vcard-temp. Methods raise StorageError."""

    def __init__(self, pep: Pep) -> None:
        self._pep = pep
        self._changing = OrderLock()

    def seen_by(self, account: JID, reader: JID, *, photo: bool = True) -> Element | None:
        """The parts of the card that `reader` may see; None if nothing is published. Without `photo` it is read faster."""
        item = self._item(account, reader)
        card = as_temp(item.payload) if item else self._only_nick(account, reader)
        shown = self.photo(account, reader) if photo and card.find(PHOTO) is None else None
        if shown is not None:
            card.append(shown)
        return card if item or len(card) else None

    def has_card(self, account: JID) -> bool:
        """Whether a card is published, besides nick and avatar."""
        return self._item(account, account) is not None

    def photo(self, account: JID, reader: JID | None = None) -> Element | None:
        """The avatar as the PHOTO of a vcard-temp; None if there is none, or `reader` may not see it."""
        metadata = self._visible(account, AVATAR_METADATA, reader or account)
        info = metadata.payload.find(f"{{{AVATAR_METADATA}}}info") if metadata else None
        if info is None:
            return None
        parts = {"TYPE": info.get("type"), "EXTVAL": info.get("url")}
        if not parts["EXTVAL"]:
            data = self._visible(account, AVATAR_DATA, reader or account, info.get("id", ""))
            parts["BINVAL"] = data.payload.text if data else None
        found = Element(PHOTO)
        for name, text in parts.items():
            if text:
                SubElement(found, f"{{{TEMP}}}{name}").text = text
        return found if found.find(f"{{{TEMP}}}TYPE") is None or len(found) > 1 else None

    def change(self, account: JID, stored: Element | None, edit: Callable[[Element], Element]) -> bool:
        """Change the published card to the result of `edit` on the visible card; False if none is published.

        `stored`: the card that is visible instead of the published one. Raises BadXML, and GatewayError: card-elsewhere.
        """
        with self._changing:
            item = self._item(account, account)
            if item is None:
                return False
            shows = self.seen_by(account, account) if stored is None else stored
            before = deepcopy(shows)
            now, photo = as_temp(item.payload), self.photo(account)
            after = edit(Element(f"{{{TEMP}}}vCard") if shows is None else shows)
            require_photo(photo, before, after)
            wanted = Element(after.tag)
            wanted.extend(field for field in after if field.tag != PHOTO or photo is None)
            wanted.extend(now.findall(PHOTO) if photo is not None else ())
            self._pep.replace(account, CARD, item._replace(payload=changed(item.payload, wanted)))
            return True

    def _item(self, account: JID, reader: JID) -> PublishedItem | None:
        item = self._visible(account, CARD, reader)
        return item if item and item.payload.tag == CARD4 else None

    def _only_nick(self, account: JID, reader: JID) -> Element:
        item = self._visible(account, NICK, reader)
        card = Element(f"{{{TEMP}}}vCard")
        if item and item.payload.text:
            SubElement(card, f"{{{TEMP}}}NICKNAME").text = item.payload.text
        return card

    def _visible(self, account: JID, node: str, reader: JID, identifier: str = "") -> PublishedItem | None:
        item = self._pep.last(account, node, identifier)
        return item if item and self._pep.may_see(account, node, reader) else None


def require_photo(avatar: Element | None, before: Element | None, after: Element) -> None:
    """Raise GatewayError, card-elsewhere, for a changed PHOTO if there is an avatar, which would hide it."""
    given = after.find(PHOTO)
    old = before.find(PHOTO) if before is not None else None
    if avatar is None or given is None or same(given, avatar) or (old is not None and same(given, old)):
        return
    text = "The photo of the account is its avatar (XEP-0084), which an XMPP client changes; nothing was changed"
    raise GatewayError("card-elsewhere", text)
