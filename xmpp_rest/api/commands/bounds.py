"""What commands take of an argument's type where they answer anything else with 500, as the peer does (commands-api §9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xmpp_rest.api.commands.groups.roster import ACTIONS
from xmpp_rest.api.commands.groups.server import OF_HOST, OF_SERVER

BOUNDS: Mapping[str, Mapping[str, Any]] = {
    "muc_online_rooms_by_regex.regex": {"format": "regex"},
    "process_rosteritems.action": {"enum": sorted(ACTIONS)},
    "register.user": {"pattern": "^[a-z0-9._-]{1,200}$"},
    "resource_num.num": {"minimum": 1},
    "set_vcard2_multi.contents": {"minItems": 1},
    "stats.name": {"enum": sorted(OF_SERVER)},
    "stats_host.name": {"enum": sorted(OF_HOST)},
}
"""`COMMAND.ARGUMENT` → further keywords of its schema."""
