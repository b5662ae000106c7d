"""An archive at another server (XEP-0313), as Prosody and ejabberd have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element

from tests.service.sessions.at_server import ROMEO, Speaks
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.datetimes import parse_datetime, write_datetime
from xmpp_rest.protocol.forms import FORM, read_form
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import DELAY, DISCO_INFO, FORWARD, MAM, RSM
from xmpp_rest.protocol.stanza import child, make, refusal, result

JULIET = parse_jid("juliet@capulet.example/balcony")
BEGAN = 1_700_000_000.0
_QUERY, _SET = f"{{{MAM}}}query", f"{{{RSM}}}set"


class FakeItem(NamedTuple):
    id: str
    when: float
    stanza: Element


class FakeArchive:
    """The archive of `owner`. With `whole` seconds, and ids that say nothing, it is as Prosody's; without, as ejabberd's."""

    def __init__(self, owner: JID = ROMEO, *, whole: bool = False, most: int = 100) -> None:
        self.owner = owner
        self.whole = whole
        self.most = most
        self.items: list[FakeItem] = []
        self.features = [MAM, f"{MAM}#extended"] if whole else [MAM]
        self.refusal = ""
        """The condition that answers every query, if there is one."""
        self.queries: list[Element] = []

    def add(self, body: str | None, when: float, sender: JID | str | None = JULIET, to: JID | str | None = None, **attributes: str) -> str:
        """Archive a message; the id of the item."""
        payload = [] if body is None else [child("body", body)]
        given = {"type_": "chat", "id_": f"m{len(self.items)}", **attributes}
        stanza = make("message", *payload, from_=sender and str(sender), to_=str(to or self.owner), **given)
        return self.keep(stanza, when)

    def keep(self, stanza: Element, when: float) -> str:
        identifier = f"x{len(self.items):06}" if self.whole else str(round(when * 1_000_000))
        self.items.append(FakeItem(identifier, float(int(when)) if self.whole else when, stanza))
        return identifier

    def __call__(self, client: Speaks, stanza: Element) -> bool:
        """Answer what is asked of it."""
        if stanza.tag != "iq" or (jid_or_none(stanza.get("to")) or client.jid.bare) != self.owner:
            return False
        if stanza.find(f"{{{DISCO_INFO}}}query") is not None:
            features = [child(f"{{{DISCO_INFO}}}feature", var=name) for name in self.features]
            client.send(result(stanza, make(f"{{{DISCO_INFO}}}query", *features)))
            return True
        query = stanza.find(_QUERY)
        if query is None:
            return False
        self.queries.append(query)
        for answer in self._answers(stanza, query):
            client.send(answer)
        return True

    def _answers(self, iq: Element, query: Element) -> Iterator[Element]:
        if self.refusal:
            yield refusal(iq, stanza_error(self.refusal))
            return
        page = query.find(_SET)
        assert page is not None
        fitting = list(self._fitting(query))
        most = min(int(page.findtext(f"{{{RSM}}}max", "50")), self.most)
        before, after = page.findtext(f"{{{RSM}}}before"), page.findtext(f"{{{RSM}}}after")
        for bound in (before, after):
            if bound and bound not in [item.id for item in self.items] and self.whole:
                yield refusal(iq, stanza_error("item-not-found"))
                return
        if before is not None:
            fitting = [item for item in fitting if not before or item.id < before]
            shown, complete = fitting[-most:], len(fitting) <= most
        else:
            fitting = [item for item in fitting if not after or item.id > after]
            shown, complete = fitting[:most], len(fitting) <= most
        for item in shown:
            yield self._result(iq, query, item)
        bounds = [child(f"{{{RSM}}}first", shown[0].id), child(f"{{{RSM}}}last", shown[-1].id)] if shown else []
        yield result(iq, make(f"{{{MAM}}}fin", make(_SET, *bounds), complete="true" if complete else None))

    def _fitting(self, query: Element) -> Iterator[FakeItem]:
        form = query.find(f"{FORM}x")
        wanted = {} if form is None else {name: values[0] for name, values in read_form(form).items()}
        for item in self.items:
            ends = {str(parse_jid(item.stanza.get(name) or str(self.owner)).bare) for name in ("from", "to")}
            if (
                ("with" not in wanted or wanted["with"] in ends)
                and ("start" not in wanted or item.when >= parse_datetime(wanted["start"]))
                and ("end" not in wanted or item.when <= parse_datetime(wanted["end"]))
            ):
                yield item

    def _result(self, iq: Element, query: Element, item: FakeItem) -> Element:
        stamp = child(f"{{{DELAY}}}delay", stamp=write_datetime(item.when))
        forwarded = make(f"{{{FORWARD}}}forwarded", stamp, item.stanza)
        content = make(f"{{{MAM}}}result", forwarded, id=item.id, queryid=query.get("queryid"))
        return make("message", content, from_=str(self.owner), to_=iq.get("from"))
