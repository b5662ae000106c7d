"""The handler of the conference domain: dispatches presence, messages and iqs, and turns exceptions into error stanzas (XEP-0045)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Handler, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, StanzaRefused, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, REGISTER
from xmpp_rest.protocol.stanza import is_answer, is_request, may_be_refused, refusal, result
from xmpp_rest.service.muc.admin import AdminQueries
from xmpp_rest.service.muc.disco import Disco
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.messages import MessageHandler
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muc.notices import ADMIN, MUCSUB, OWNER
from xmpp_rest.service.muc.owner import OwnerQueries
from xmpp_rest.service.muc.relay import IqRelay
from xmpp_rest.service.muc.subscribe import Subscriptions

Answer = Callable[[Element, JID, str], Element | None]
"""(iq, asker's full address, room's localpart) → the child of the result. Raises StanzaRefused, GatewayError."""
_SUB = f"{{{MUCSUB}}}"


class MucEntity:
    """A handler for the router. Queries that every entity answers at its domain are left to the last handler."""

    def __init__(
        self,
        domain: str,
        join_handler: JoinHandler,
        message_handler: MessageHandler,
        relay: IqRelay,
        archive: Handler,
        queries: tuple[Disco, AdminQueries, OwnerQueries, Subscriptions, Nicks],
    ) -> None:
        """`archive` answers queries to a room's archive."""
        disco, admin, owner, subscriptions, nicks = queries
        self._domain = domain
        self._join_handler = join_handler
        self._message_handler = message_handler
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
        """Handle a stanza for the service, a room or an occupant; the answer if there is one at once."""
        if sender.domain == self._domain:  # rooms are not occupants of rooms: two of them would answer each other forever
            return refusal(stanza, stanza_error("item-not-found")) if is_request(stanza) else None
        try:
            return self._dispatch(stanza, sender, to)
        except StanzaRefused as e:
            error = e.error
        except GatewayError as e:
            error = StanzaError(e.row.type, e.row.condition, e.text)
        return refusal(stanza, error._replace(by=str(to.bare))) if may_be_refused(stanza) else None

    def _dispatch(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        if stanza.tag == "iq":
            return self._iq(stanza, sender, to)
        if not to.local:
            if stanza.tag == "presence" or not may_be_refused(stanza):
                return None
            raise StanzaRefused("service-unavailable", "write to a room: room@service")
        (self._join_handler.presence if stanza.tag == "presence" else self._message_handler.message)(stanza, sender, to)
        return None

    def _iq(self, iq: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        if to.local and to.resource:
            return self._relay.iq(iq, sender, to)
        if is_answer(iq):
            return None
        if len(iq) != 1 or not is_request(iq):  # RFC 6120 §8.2.3
            raise StanzaRefused("bad-request", "an iq of type get or set has exactly one child")
        answer = (self._of_room if to.local else self._of_service).get((iq.get("type", ""), iq[0].tag))
        if answer is not None:
            return result(iq, answer(iq, sender, to.local))
        if not to.local:
            return NOT_MINE
        taken = self._archive(iq, sender, to) if self._join_handler.is_room(to.local) else None
        if taken is None:
            raise GatewayError("room-unknown")
        if isinstance(taken, Unhandled):
            raise StanzaRefused("feature-not-implemented", "a room does not know this query")
        return taken
