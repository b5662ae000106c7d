"""Queries that every entity answers: discovery, ping, version, time and last activity (XEP-0030, -0199, -0092, -0202, -0012)."""

from __future__ import annotations

import time
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest import __version__
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, LAST, PING, TIME, VERSION
from xmpp_rest.protocol.stanza import child, is_request, make, refusal, result

Identity = tuple[str, str, str]  # category, type, name (XEP-0030 §3.1)
GATEWAY: Identity = ("gateway", "http", "xmpp-rest")
COMPONENT: Identity = ("component", "generic", "xmpp-rest")  # a hosted domain without a service of its own
ACCOUNT: Identity = ("account", "registered", "")
Answer = Callable[[Element, JID], Element | None]


class Entity:
    """The last handler for the router: answers for a hosted domain itself and for the bare addresses of its accounts."""

    def __init__(
        self,
        identity: Identity,
        items: tuple[str, ...],
        exists: Callable[[JID], bool],
        of_accounts: tuple[str, ...] = (),
        of_domain: tuple[str, ...] = (),
    ) -> None:
        """`of_accounts`, `of_domain`: features of accounts, and of the domain itself, that other handlers serve."""
        self._of_accounts = of_accounts
        self._of_domain = of_domain
        self._identity = identity
        self._items = items  # addresses of other hosted services, for disco#items
        self._exists = exists
        self._started = time.monotonic()
        self._of_account: dict[str, Answer] = {
            f"{{{DISCO_INFO}}}query": self._info,
            f"{{{DISCO_ITEMS}}}query": self._disco_items,
            f"{{{PING}}}ping": lambda _, __: None,
        }
        self._of_host: dict[str, Answer] = self._of_account | {
            f"{{{LAST}}}query": self._last,
            f"{{{VERSION}}}query": self._version,
            f"{{{TIME}}}time": self._time,
        }

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer an iq of type get; NOT_MINE for other stanzas, and for addresses without an account."""
        if not is_request(stanza) or to.resource or (to.local and not self._exists(to)):
            return NOT_MINE
        if len(stanza) != 1:  # RFC 6120 §8.2.3
            return refusal(stanza, stanza_error("bad-request", "an iq of type get or set has exactly one child"))
        query = stanza[0]
        answer = (self._of_account if to.local else self._of_host).get(query.tag)
        if answer is None or stanza.get("type") != "get":
            return NOT_MINE
        if query.get("node"):  # XEP-0030 §3.2: no node is known here
            return refusal(stanza, stanza_error("item-not-found"))
        return result(stanza, answer(query, to))

    def _info(self, query: Element, to: JID) -> Element:
        category, kind, name = ACCOUNT if to.local else self._identity
        served = self._of_account if to.local else self._of_host
        features = {tag[1:].partition("}")[0] for tag in served} | set(self._of_accounts if to.local else self._of_domain)
        identity = make(f"{{{DISCO_INFO}}}identity", category=category, type=kind, name=name)
        return make(query.tag, identity, *(child(f"{{{DISCO_INFO}}}feature", var=feature) for feature in sorted(features)))

    def _disco_items(self, query: Element, to: JID) -> Element:
        return make(query.tag, *(child(f"{{{DISCO_ITEMS}}}item", jid=jid) for jid in self._items if not to.local))

    def _last(self, query: Element, _: JID) -> Element | None:
        """Seconds since the start (XEP-0012 §4)."""
        return child(query.tag, seconds=str(int(time.monotonic() - self._started)))

    def _time(self, query: Element, _: JID) -> Element:
        """The time in UTC (XEP-0202 §3)."""
        return make(query.tag, child(f"{{{TIME}}}tzo", "+00:00"), child(f"{{{TIME}}}utc", write_datetime(int(time.time()))))

    def _version(self, query: Element, _: JID) -> Element:
        return make(query.tag, child(f"{{{VERSION}}}name", "xmpp-rest"), child(f"{{{VERSION}}}version", __version__))
