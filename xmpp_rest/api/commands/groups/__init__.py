"""The table of the groups of commands."""

from __future__ import annotations

from itertools import chain

from xmpp_rest.api.commands.groups import (
    accounts,
    announce,
    archive,
    bans,
    housekeeping,
    last,
    messages,
    muc_nicks,
    muc_subscriptions,
    oauth,
    offline,
    private,
    rooms,
    rooms_people,
    roster,
    server,
    sessions,
    shared_groups,
    vcard,
)
from xmpp_rest.api.commands.groups import inactive_accounts as old_users
from xmpp_rest.api.commands.registry import Implementation

FAMILIES = (
    accounts, announce, archive, bans, housekeeping, last, messages, muc_nicks, muc_subscriptions, oauth, offline, old_users,
    private, rooms, rooms_people, roster, server, sessions, shared_groups, vcard,
)  # fmt: skip
COMMANDS: tuple[Implementation, ...] = tuple(chain.from_iterable(family.COMMANDS for family in FAMILIES))
