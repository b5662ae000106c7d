"""Builds what hears rooms on other servers. Starts nothing."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.events import Events
from xmpp_rest.gateway.wiring_rooms import RoomParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import NOT_MINE, Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.callbacks.room_messages import RoomMessages
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.rooms.asking import OccupantAsks
from xmpp_rest.service.rooms.hearing import Hearing
from xmpp_rest.service.rooms.kept_ends import KeptEnds
from xmpp_rest.service.rooms.kept_room_messages import KeptRoomMessages
from xmpp_rest.service.rooms.session_hearing import SessionHearing
from xmpp_rest.service.rooms.session_history import SessionHistory
from xmpp_rest.service.streams.registry import Streams


def build_hearing(
    settings: Settings, rooms: RoomParts, callbacks: Callbacks, kept: KeptRoomMessages, streams: Streams, clock: MonotonicClock,
    guard: Guard, router: Router, events: Events, remote: Remote, incidents: Incidents,
) -> tuple[Hearing, SessionHearing]:  # fmt: skip
    """The parts of one process: for hosted accounts, and for those of other servers. All others work by what they subscribe to."""
    memberships = rooms.memberships

    def is_wanted(stanza: Element, sender: JID, to: JID) -> bool:
        return guard.handle(stanza, sender, to) is NOT_MINE

    def holds(actor: JID, room: JID) -> bool:
        return memberships.holds(memberships.place(actor, room))

    messages = RoomMessages(callbacks.queues, memberships.own_nick, kept.own_messages)
    hearing = Hearing(kept, streams, clock, messages, is_wanted, incidents, rooms.addresses, memberships.changed, remote)
    rooms.stanzas.subscribe(hearing)
    router.ask_as(OccupantAsks(memberships, settings.rooms_anywhere.resource).asker)
    events.unregistered.subscribe(kept.removed)
    KeptEnds(kept, holds, settings.gateway.domain, remote, incidents)
    history = SessionHistory(settings.rooms_anywhere.keep)
    elsewhere = SessionHearing(history, streams, clock, rooms.addresses, router.accounts, memberships.changed, incidents, remote)
    rooms.stanzas.subscribe(elsewhere)
    return hearing, elsewhere
