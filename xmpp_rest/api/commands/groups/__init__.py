"""The table of the groups of commands."""

from __future__ import annotations

from itertools import chain

from xmpp_rest.api.commands.groups import (
    accounts,
    announce,
    archive,
    bans,
    housekeeping,
    inactive_accounts,
    jobs,
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
from xmpp_rest.api.commands.registry import Implementation

GROUPS = (
    accounts, announce, archive, bans, housekeeping, jobs, last, messages, muc_nicks, muc_subscriptions, oauth, offline,
    inactive_accounts, private, rooms, rooms_people, roster, server, sessions, shared_groups, vcard,
)  # fmt: skip
COMMANDS: tuple[Implementation, ...] = tuple(chain.from_iterable(group.COMMANDS for group in GROUPS))
