"""Queries to rooms of MUC Light at other servers, and what these answer (XEP Multi-User Chat Light §4, §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_ITEMS, RSM
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.muclight.notices import AFFILIATIONS, CONFIGURATION, CREATE, INFO, config, users
from xmpp_rest.service.muclight.room import DEFAULTS, MEMBER, OWNER, MucLightRoom, NewAffiliation, RoomSummary
from xmpp_rest.service.sessions.refused import server_refused

MOST_FIELDS = 50  # of a configuration that are read
MOST_OCCUPANTS = 10_000
_ITEMS = f"{{{DISCO_ITEMS}}}query"
_SET = f"{{{RSM}}}set"

REFUSALS = {  # condition → error of the client API; XEP §7
    "item-not-found": "room-unknown",
    "conflict": "room-exists",
    "forbidden": "not-occupant",
    "not-allowed": "not-owner",
    "bad-request": "bad-room-change",
    "not-acceptable": "bad-room-change",
}


class RoomList(NamedTuple):
    """One answer to a question for rooms. `last`: behind which the next one begins; "": there are no more."""

    rooms: list[JID]
    last: str


def rooms_query(account: JID, service: JID, after: str = "") -> Element:
    """The iq that asks a service for the rooms that the account is in; those behind `after`."""
    page = [make(_SET, child(f"{{{RSM}}}after", after))] if after else []
    return _iq("get", account, service, make(_ITEMS, *page))


def read_rooms(answer: Element, service: JID) -> RoomList:
    """The rooms of that service in an answer."""
    jids = [jid_or_none(item.get("jid")) for item in answer.iterfind(f"{_ITEMS}/{{{DISCO_ITEMS}}}item")]
    rooms = [jid.bare for jid in jids if jid is not None and jid.local and jid.domain == service.domain]
    last = answer.findtext(f"{_ITEMS}/{_SET}/{{{RSM}}}last", "").strip()
    return RoomList(rooms, last if rooms else "")


def configuration_query(account: JID, room: JID) -> Element:
    """The iq that asks for the configuration of a room."""
    return _iq("get", account, room, make(f"{CONFIGURATION}query", child(f"{CONFIGURATION}version")))


def read_summary(answer: Element, room: JID) -> RoomSummary | None:
    """What the answer to `configuration_query` tells; None for an error."""
    query = answer.find(f"{CONFIGURATION}query")
    if answer.get("type") != "result" or query is None:
        return None
    return RoomSummary(room, _config(query, CONFIGURATION), query.findtext(f"{CONFIGURATION}version", ""))


def info_query(account: JID, room: JID) -> Element:
    """The iq that asks for all of a room."""
    return _iq("get", account, room, make(f"{INFO}query", child(f"{INFO}version")))


def read_room(answer: Element, room: JID) -> MucLightRoom:
    """The room in the result of `info_query`."""
    query = answer.find(f"{INFO}query")
    if query is None:
        raise GatewayError("server-refused", "The room does not tell what it is")
    configuration, occupants = query.find(f"{INFO}configuration"), query.find(f"{INFO}occupants")
    affiliations = {} if occupants is None else _affiliations(occupants)
    fields = DEFAULTS if configuration is None else _config(configuration, INFO)
    return MucLightRoom(room, fields, affiliations, query.findtext(f"{INFO}version", ""), "")


def creation(account: JID, room: JID, fields: Mapping[str, str], others: Sequence[NewAffiliation]) -> Element:
    """The iq that makes a room."""
    parts = [make(f"{CREATE}configuration", *config(CREATE, fields))]
    if others:
        parts.append(make(f"{CREATE}occupants", *users(CREATE, others)))
    return _iq("set", account, room, make(f"{CREATE}query", *parts))


def configuring(account: JID, room: JID, fields: Mapping[str, str]) -> Element:
    """The iq that changes fields of the configuration."""
    return _iq("set", account, room, make(f"{CONFIGURATION}query", *config(CONFIGURATION, fields)))


def affiliating(account: JID, room: JID, change: NewAffiliation) -> Element:
    """The iq that changes an affiliation."""
    return _iq("set", account, room, make(f"{AFFILIATIONS}query", *users(AFFILIATIONS, [change])))


def room_error(error: StanzaError, by: str = "") -> GatewayError:
    """A room's or service's error, as the client API knows it."""
    if error.type != "wait" and (name := REFUSALS.get(error.condition)) is not None:
        return GatewayError(name)
    return server_refused(error, "The room has refused this", by)


def _iq(kind: str, account: JID, to: JID, payload: Element) -> Element:
    return make("iq", payload, type_=kind, id_=new_id(), from_=str(account), to_=str(to))


def _config(fields: Element, namespace: str) -> dict[str, str]:
    own = (field for field in fields if field.tag.startswith(namespace) and field.tag != f"{namespace}version")
    return DEFAULTS | {field.tag.removeprefix(namespace): field.text or "" for field in islice(own, MOST_FIELDS)}


def _affiliations(occupants: Element) -> dict[JID, str]:
    found = {}
    for user in islice(occupants.iterfind(f"{INFO}user"), MOST_OCCUPANTS):
        jid, affiliation = jid_or_none((user.text or "").strip()), user.get("affiliation", "")
        if jid is not None and affiliation in (OWNER, MEMBER):
            found[jid.bare] = affiliation
    return found
