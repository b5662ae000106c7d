"""The lines of the audit: who did what. `xmpp_rest.audit` is logged at any level (logs/setup.py)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from xmpp_rest.logs.events import say

log = logging.getLogger("xmpp_rest.audit")


def note_command(account: str | None, address: str | None, command: str, arguments: Mapping[str, Any], status: int) -> None:
    """Log that this was called, with these arguments, without secrets. `account`: None: nobody's, or not found out."""
    say(log, logging.INFO, "command", account=account, address=address, command=command, arguments=arguments, status=status)
