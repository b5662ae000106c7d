"""The command API at /api, compatible with ejabberd's mod_http_api (docs/compatibility/commands-api.md)."""

from __future__ import annotations

from functools import cache

from xmpp_rest.api.commands.catalogue import load_catalogue
from xmpp_rest.api.commands.groups import COMMANDS
from xmpp_rest.api.commands.registry import Registry


@cache
def registry() -> Registry:
    """Every command that the gateway offers; read once."""
    return Registry(load_catalogue(), COMMANDS)
