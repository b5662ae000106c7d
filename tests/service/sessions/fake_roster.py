"""A roster at another server (RFC 6121 §2), as Prosody and ejabberd have them."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tests.service.sessions.at_server import Speaks
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import child, copied, make, refusal, result

_QUERY, _ITEM = f"{{{ROSTER}}}query", f"{{{ROSTER}}}item"


class FakeRoster:
    """Keeps items; `forgiving`: the removal of an unknown one is answered by a result, as ejabberd does."""

    def __init__(self, *, forgiving: bool = False) -> None:
        self.items: dict[str, Element] = {}
        self.pending: set[str] = set()
        """Who has asked; those are not shown."""
        self.forgiving = forgiving
        self.refusal = ""
        """The condition that answers every change, if there is one."""
        self.unreadable = ""
        """The condition that answers every question."""
        self.asked: list[tuple[str, str]] = []
        """(type, to) of every presence for a contact."""

    def add(self, jid: str, subscription: str = "none", *groups: str, **attributes: str) -> None:
        payload = [child(f"{{{ROSTER}}}group", group) for group in groups]
        self.items[jid] = make(_ITEM, *payload, jid=jid, subscription=subscription, **attributes)

    def __call__(self, client: Speaks, stanza: Element) -> bool:
        """Answer what is asked of it."""
        if stanza.tag == "presence" and "to" in stanza.attrib:
            self.asked.append((stanza.get("type", ""), stanza.get("to", "")))
            if stanza.get("type") == "subscribed":
                self._approve(stanza.get("to", ""))
            return True
        query = stanza.find(_QUERY)
        if query is None:
            return False
        client.send(self._answer(stanza, query))
        return True

    def _approve(self, jid: str) -> None:
        """Others than forgiving servers keep an approval for later (RFC 6121 §3.4)."""
        if jid in self.pending:
            self.pending.discard(jid)
            self.add(jid, "from")
        elif jid not in self.items and not self.forgiving:
            self.add(jid, approved="true")

    def _answer(self, iq: Element, query: Element) -> Element:
        condition = self.unreadable if iq.get("type") == "get" else self.refusal
        if condition:
            return refusal(iq, stanza_error(condition))
        if iq.get("type") == "get":
            return result(iq, make(_QUERY, *self.items.values()))
        (item,) = query
        jid = str(parse_jid(item.attrib["jid"]).bare)
        if item.get("subscription") != "remove":
            old = self.items.get(jid)
            state = {} if old is None else {name: old.get(name, "") for name in ("subscription", "ask")}
            self.items[jid] = copied(item, None, **{f"{name}_": value for name, value in state.items()})
        elif self.items.pop(jid, None) is None and not self.forgiving:
            return refusal(iq, stanza_error("item-not-found"))
        return result(iq)
