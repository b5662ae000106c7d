"""What does the conference domain do with what reaches it over XMPP? Every stanza to its place, every refusal into words (XEP-0045)"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Handler, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, REGISTER
from xmpp_rest.protocol.stanza import is_answer, is_request, may_be_refused, refusal, result
from xmpp_rest.service.muc.admin import AdminQueries
from xmpp_rest.service.muc.disco import Disco
from xmpp_rest.service.muc.join import Doors
from xmpp_rest.service.muc.messages import Speech
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muc.notices import ADMIN, MUCSUB, OWNER, Refused
from xmpp_rest.service.muc.owner import OwnerQueries
from xmpp_rest.service.muc.relay import Relay
from xmpp_rest.service.muc.subscribe import Subscriptions

Answer = Callable[[Element, JID, str], Element | None]
"""(iq, asker's full address, room's localpart) → the child of the result. Raises Refused, GatewayError."""
_SUB = f"{{{MUCSUB}}}"


class MucEntity:
    """A router's handler. What every entity answers at the domain itself is left to the one that comes last."""

    def __init__(
        self,
        domain: str,
        doors: Doors,
        speech: Speech,
        relay: Relay,
        archive: Handler,
        queries: tuple[Disco, AdminQueries, OwnerQueries, Subscriptions, Nicks],
    ) -> None:
        """`archive` answers queries to a room's archive."""
        disco, admin, owner, subscriptions, nicks = queries
        self._domain = domain
        self._doors = doors
        self._speech = speech
        self._relay = relay
        self._archive = archive
        self._of_room: dict[tuple[str, str], Answer] = {
            ("get", f"{{{DISCO_INFO}}}query"): disco.room_info,
            ("get", f"{{{DISCO_ITEMS}}}query"): disco.room_items,
            ("get", f"{ADMIN}query"): admin.get,
            ("set", f"{ADMIN}query"): admin.set,
            ("get", f"{OWNER}query"): owner.get,
            ("set", f"{OWNER}query"): owner.set,
            ("set", f"{_SUB}subscribe"): subscriptions.subscribe_iq,
            ("set", f"{_SUB}unsubscribe"): subscriptions.unsubscribe_iq,
            ("get", f"{_SUB}subscriptions"): subscriptions.list_iq,
        }
        self._of_service: dict[tuple[str, str], Answer] = {
            ("get", f"{{{DISCO_INFO}}}query"): disco.service_info,
            ("get", f"{{{DISCO_ITEMS}}}query"): disco.service_items,
            ("get", f"{{{REGISTER}}}query"): lambda iq, asker, _: nicks.form(iq, asker),
            ("set", f"{{{REGISTER}}}query"): lambda iq, asker, _: nicks.submit(iq, asker),
            ("get", f"{_SUB}subscriptions"): subscriptions.list_iq,
        }

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take a stanza for the service, a room or an occupant; the answer where there is one at once."""
        if sender.domain == self._domain:  # no room speaks in another one: two of them would never end
            return refusal(stanza, stanza_error("item-not-found")) if is_request(stanza) else None
        try:
            return self._take(stanza, sender, to)
        except Refused as e:
            error = e.error
        except GatewayError as e:
            error = StanzaError(e.row.type, e.row.condition, e.text)
        return refusal(stanza, error._replace(by=str(to.bare))) if may_be_refused(stanza) else None

    def _take(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        if stanza.tag == "iq":
            return self._iq(stanza, sender, to)
        if not to.local:
            if stanza.tag == "presence" or not may_be_refused(stanza):
                return None
            raise Refused("service-unavailable", "write to a room: room@service")
        (self._doors.presence if stanza.tag == "presence" else self._speech.message)(stanza, sender, to)
        return None

    def _iq(self, iq: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        if to.local and to.resource:
            return self._relay.iq(iq, sender, to)
        if is_answer(iq):
            return None
        if len(iq) != 1 or not is_request(iq):  # RFC 6120 §8.2.3
            raise Refused("bad-request", "an iq of type get or set has exactly one child")
        answer = (self._of_room if to.local else self._of_service).get((iq.get("type", ""), iq[0].tag))
        if answer is not None:
            return result(iq, answer(iq, sender, to.local))
        if not to.local:
            return NOT_MINE
        taken = self._archive(iq, sender, to) if self._doors.is_room(to.local) else None
        if taken is None:
            raise GatewayError("room-unknown")
        if isinstance(taken, Unhandled):
            raise Refused("feature-not-implemented", "a room does not know this query")
        return taken
