"""Blocking iqs: an account reads and changes its block list, and its contacts are notified (XEP-0191 §3)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, StanzaRefused
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import BLOCKING
from xmpp_rest.protocol.stanza import child, is_request, make, new_id, refusal, result
from xmpp_rest.service.contacts.block_lists import BlockListChange, BlockLists, can_be_kept, matches
from xmpp_rest.service.contacts.contact import without_request
from xmpp_rest.service.contacts.presence import Presences
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.contacts.subscriptions import Side

FEATURES = (BLOCKING,)
BLOCKLIST, BLOCK, UNBLOCK, ITEM = (f"{{{BLOCKING}}}{name}" for name in ("blocklist", "block", "unblock", "item"))

Push = Callable[[JID, Element], None]
"""(account, iq of type set): tell the account's open streams what was blocked or unblocked (XEP-0191 §3.3, §3.4)."""


class BlockingQueries:
    """A handler for the router: iqs of an account to itself; others are not answered."""

    def __init__(self, lists: BlockLists, roster: Roster, presences: Presences, push: Push, exists: Callable[[JID], bool]) -> None:
        self._lists = lists
        self._roster = roster
        self._presences = presences
        self._push = push
        self._exists = exists
        self._answers: dict[tuple[str, str], Callable[[JID, Element], Element | None]] = {
            ("get", BLOCKLIST): self._get,
            ("set", BLOCK): self._block,
            ("set", UNBLOCK): self._unblock,
        }

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer an iq about the block list; NOT_MINE for any other stanza. Raises StorageError."""
        if not is_request(stanza) or to != sender.bare or not to.local or len(stanza) != 1:
            return NOT_MINE
        answer = self._answers.get((stanza.get("type", ""), stanza[0].tag))
        if answer is None or not self._exists(to):
            return NOT_MINE
        try:
            return result(stanza, answer(to, stanza[0]))
        except StanzaRefused as e:
            return refusal(stanza, e.error)
        except GatewayError as e:
            return refusal(stanza, StanzaError(e.row.type, e.row.condition, e.text))

    def _get(self, owner: JID, _: Element) -> Element:
        return _list(BLOCKLIST, self._lists.items(owner))

    def _block(self, owner: JID, element: Element) -> None:
        jids = _read_addresses(element)
        if not jids:
            raise StanzaRefused("bad-request", "a block has at least one item (XEP-0191 §3.3)")
        change = self._lists.block(owner, jids)
        self._push_change(owner, BLOCK, jids)
        self._hide(owner, change)

    def _unblock(self, owner: JID, element: Element) -> None:
        jids = _read_addresses(element)
        change = self._lists.unblock(owner, jids or None)
        self._push_change(owner, UNBLOCK, jids)
        self._show(owner, change)

    def _push_change(self, owner: JID, tag: str, jids: list[JID]) -> None:
        self._push(owner, make("iq", _list(tag, jids), type_="set", id_=new_id(), to_=str(owner)))

    # -- what contacts see of it

    def _hide(self, owner: JID, change: BlockListChange) -> None:
        """Send unavailable to contacts who could see the account, and drop their pending requests."""
        contacts = [c for c in self._roster.contacts(owner) if matches(change.after, c.jid) and not matches(change.before, c.jid)]
        for contact in contacts:
            if contact.state.from_ is Side.ASKED:
                self._roster.change(owner, contact.jid, without_request)
        if not self._presences.of(owner):
            return
        visible = [c.jid for c in contacts if c.state.from_ is Side.YES]
        for jid in visible + self._resources(owner, change.after - change.before, change.after):
            self._presences.hide(owner, jid, asked=False)

    def _show(self, owner: JID, change: BlockListChange) -> None:
        """Send the presence to contacts who may see the account again."""
        if not self._presences.of(owner):
            return
        contacts = [c for c in self._roster.contacts(owner) if matches(change.before, c.jid) and not matches(change.after, c.jid)]
        visible = [c.jid for c in contacts if c.state.from_ is Side.YES]
        for jid in visible + self._resources(owner, change.before - change.after, change.before):
            self._presences.show(owner, jid)

    def _resources(self, owner: JID, jids: frozenset[JID], blocked: frozenset[JID]) -> list[JID]:
        """Those of `jids` that are single resources of contacts who may see the account, and are not in `blocked` as a whole."""
        single = [jid for jid in jids if jid.resource and jid.local and not matches(blocked, jid.bare)]
        contacts = {jid: self._roster.contact(owner, jid) for jid in single}
        return [jid for jid, contact in contacts.items() if contact and contact.state.from_ is Side.YES]


def _read_addresses(element: Element) -> list[JID]:
    """The addresses in a block or unblock, each once. Raises StanzaRefused."""
    jids: dict[JID, None] = {}
    for item in element.findall(ITEM):
        text = item.get("jid", "")
        try:
            jid = parse_jid(text)
        except InvalidJID as e:
            raise StanzaRefused("jid-malformed", f"an item's jid is not an address: {e}") from e
        if not can_be_kept(jid):
            raise StanzaRefused("jid-malformed", f"{text} cannot be blocked: the storage uses that word for something else")
        jids[jid] = None
    return list(jids)


def _list(tag: str, jids: list[JID]) -> Element:
    return make(tag, *(child(ITEM, jid=str(jid)) for jid in jids))
