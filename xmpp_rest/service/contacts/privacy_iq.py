"""Privacy iqs: an account reads and changes its privacy lists (XEP-0016 §2)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import PRIVACY
from xmpp_rest.protocol.privacy import PrivacyError, read_list, write_list
from xmpp_rest.protocol.stanza import child, is_request, make, new_id, refusal, result
from xmpp_rest.service.contacts.privacy import PrivacyLists

FEATURES = (PRIVACY,)
QUERY, LIST, ACTIVE, DEFAULT = (f"{{{PRIVACY}}}{name}" for name in ("query", "list", "active", "default"))

Push = Callable[[JID, Element], None]
"""(account, iq of type set): tell the account's open streams that a list was edited (XEP-0016 §2.6)."""


class PrivacyQueries:
    """A handler for the router: privacy queries of an account to itself; others are not answered."""

    def __init__(self, lists: PrivacyLists, push: Push) -> None:
        self._lists = lists
        self._push = push

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer an iq with a privacy query; NOT_MINE for any other stanza."""
        if not is_request(stanza) or to != sender.bare or not to.local or len(stanza) != 1 or stanza[0].tag != QUERY:
            return NOT_MINE
        try:
            if stanza.get("type") == "get":
                return result(stanza, self._get(stanza[0], to))
            self.set(to, stanza[0])
        except PrivacyError as e:
            return refusal(stanza, stanza_error(e.condition, str(e)))
        return result(stanza)

    def _get(self, query: Element, owner: JID) -> Element:
        if len(query) > 1 or any(wanted.tag != LIST for wanted in query):
            raise PrivacyError("bad-request", "ask for one list, or with nothing inside for the names of all (XEP-0016 §2.3)")
        for wanted in query:
            name = wanted.get("name", "")
            items = self._lists.items(owner, name)
            if items is None:
                raise PrivacyError("item-not-found", "there is no list of that name")
            return make(QUERY, write_list(name, items))
        default, names = self._lists.names(owner)
        return make(QUERY, *([child(DEFAULT, name=default)] if default else []), *map(write_list, names))

    def set(self, owner: JID, query: Element) -> None:
        """Edit or remove a list, or choose the default. Raises PrivacyError, StorageError."""
        steps = {LIST: self._edit, DEFAULT: self._choose, ACTIVE: self._activate}
        if query.tag != QUERY or len(query) != 1 or query[0].tag not in steps:
            raise PrivacyError("bad-request", "a privacy set is a query with exactly one list, default or active in it")
        steps[query[0].tag](owner, query[0])

    def _edit(self, owner: JID, element: Element) -> None:
        name, items = element.get("name", ""), read_list(element)
        if not items:  # XEP-0016 §2.8
            self._lists.remove(owner, name)
            return
        self._lists.put(owner, name, items)
        self._push(owner, make("iq", make(QUERY, write_list(name)), type_="set", id_=new_id(), to_=str(owner)))

    def _choose(self, owner: JID, element: Element) -> None:
        self._lists.choose(owner, element.get("name"))

    def _activate(self, _: JID, element: Element) -> None:
        """Refuse active lists, as HTTP clients have no session of their own. Declining one is accepted."""
        if "name" in element.attrib:
            raise PrivacyError("feature-not-implemented", "there are no active lists here, only a default one for the whole account")
