"""Which commands are there? The table of the families' tables."""

from __future__ import annotations

from itertools import chain

from xmpp_rest.api.commands.families import accounts
from xmpp_rest.api.commands.registry import Bound

COMMANDS: tuple[Bound, ...] = tuple(chain(accounts.COMMANDS))
