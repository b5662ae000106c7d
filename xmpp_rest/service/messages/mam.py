"""Message archive management: answers archive queries, paged by result set management (XEP-0313, XEP-0059)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from drivers import BadValue, ItemNotFound
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import StanzaRefused, stanza_error
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DELAY, FORWARD, MAM, RSM
from xmpp_rest.protocol.stanza import child, is_request, make, refusal, result
from xmpp_rest.service.messages.archive import EVERYTHING, Archive, ArchivedMessage, Page
from xmpp_rest.service.messages.mam_query import MamQuery, form, read_query

FEATURES = (MAM, f"{MAM}#extended")  # of every account, for disco#info
MAX_PAGE = 250  # results of one query


Answer = Callable[[Element, JID, JID], Element]
"""(child of the iq, its asker, the owner of the archive) → the child of the result."""


def is_owner(asker: JID, owner: JID) -> bool:
    """Whether `asker` is the owner, who alone may read the archive of an account."""
    return asker.bare == owner


class ArchiveQueries:
    """A handler for the router. Results are sent to the asker by `send`, before the iq that ends them."""

    def __init__(self, archive: Archive, send: Callable[[Element], object], may_ask: Callable[[JID, JID], bool] = is_owner) -> None:
        """`may_ask`: whether an asker, full or bare, may read the archive of an owner."""
        self._archive = archive
        self._send = send
        self._may_ask = may_ask
        self._answers: dict[tuple[str, str], Answer] = {
            ("get", f"{{{MAM}}}query"): self._form,
            ("set", f"{{{MAM}}}query"): self._query,
            ("get", f"{{{MAM}}}metadata"): self._metadata,
        }

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer a query to an archive's owner; NOT_MINE for other stanzas."""
        if not is_request(stanza) or not to.local or to.resource or len(stanza) != 1:
            return NOT_MINE
        answer = self._answers.get((stanza.get("type", ""), stanza[0].tag))
        if answer is None:
            return NOT_MINE
        if not self._may_ask(sender, to):  # XEP-0313 §9
            return refusal(stanza, stanza_error("forbidden", "an archive answers its owner only"))
        try:
            return result(stanza, answer(stanza[0], sender, to))
        except StanzaRefused as e:
            return refusal(stanza, e.error)
        except (ItemNotFound, BadValue):  # an impossible id is an unknown one
            return refusal(stanza, stanza_error("item-not-found", "there is no item of this id in the archive"))

    def _form(self, element: Element, _asker: JID, _owner: JID) -> Element:
        return make(element.tag, form())

    def _query(self, element: Element, asker: JID, owner: JID) -> Element:
        query = read_query(element, MAX_PAGE)
        page = self._archive.page(owner, query.wanted, query.limit, newest=query.backwards)
        if query.wanted.ids is not None and len(page.items) < min(len(set(query.wanted.ids)), query.limit):
            raise ItemNotFound  # XEP-0313 §4.1.4
        for kept in reversed(page.items) if query.flip else page.items:
            self._show(_result(asker, owner, query, kept))
        return self._fin(owner, query, page)

    def _show(self, item: Element) -> None:
        try:
            self._send(item)
        except GatewayError as e:
            if e.name != "stanza-too-big":  # the item does not fit into a stanza; the others are still sent
                raise

    def _fin(self, owner: JID, query: MamQuery, page: Page) -> Element:
        """The end of a page (XEP-0313 §4.3.2), with the count of all pages (XEP-0059 §2.6); beside items only if counting is quick."""
        bounds = {"first": page.items[0].id, "last": page.items[-1].id} if page.items else {}
        count = (self._archive.count if query.limit == 0 else self._archive.count_quickly)(owner, query.counted)
        if count is not None:
            bounds["count"] = str(count)
        found = make(f"{{{RSM}}}set", *(child(f"{{{RSM}}}{name}", text) for name, text in bounds.items()))
        return make(f"{{{MAM}}}fin", found, complete="true" if page.complete else None)

    def _metadata(self, element: Element, _asker: JID, owner: JID) -> Element:
        """The first and the last item (XEP-0313 §4.1.5)."""
        answer = child(element.tag)
        for name, newest in (("start", False), ("end", True)):
            for kept in self._archive.page(owner, EVERYTHING, 1, newest=newest).items:
                answer.append(child(f"{{{MAM}}}{name}", id=kept.id, timestamp=write_datetime(kept.when)))
        return answer


def _result(asker: JID, owner: JID, query: MamQuery, kept: ArchivedMessage) -> Element:
    """The message with one result (XEP-0313 §4.2)."""
    forwarded = make(f"{{{FORWARD}}}forwarded", child(f"{{{DELAY}}}delay", stamp=write_datetime(kept.when)), kept.stanza)
    wrapper = child(f"{{{MAM}}}result", id=kept.id, **({} if query.id is None else {"queryid": query.id}))
    wrapper.append(forwarded)
    return make("message", wrapper, from_=str(owner), to_=str(asker))
