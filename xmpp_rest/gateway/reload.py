"""Reloading of the configuration while the gateway runs: applies the settings that can change, and names the others."""

from __future__ import annotations

import logging

from xmpp_rest.config.check import require_sense
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.reload import Merged, merge
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.log_level import set_level

log = logging.getLogger(__name__)


def reload(gateway: Gateway) -> Merged:
    """Read the configuration again and put in force what can be. Raises SettingsError, and then all is as it was."""
    fresh = gateway.settings.again()
    require_sense(fresh)
    merged = merge(gateway.settings, fresh)
    _apply(gateway, merged.settings)
    for names, what in ((merged.applied, "in force"), (merged.waiting, "in need of a restart")):
        if names:
            log.info("the configuration was read again: %s: %s", what, ", ".join(names))
    return merged


def follow(gateway: Gateway) -> None:
    """`reload` in the other processes, once one of them has found the configuration to be right."""
    try:
        reload(gateway)
    except SettingsError as e:  # it was changed again meanwhile
        log.error("the configuration counts as it was: %s", e)


def _apply(gateway: Gateway, settings: Settings) -> None:
    before, gateway.settings = gateway.settings, settings
    auth = settings.auth
    gateway.parts.authenticator.configure(auth.admins, settings.rest.credentials, auth.failures)
    gateway.parts.passwords.configure(auth.password_hash, auth.iterations)
    gateway.parts.data_usage.configure(settings.data)
    if settings.server.log_level != before.server.log_level:
        set_level(logging.getLevelNamesMapping()[settings.server.log_level.upper()])


def refreshed(settings: Settings) -> Settings:
    """For a process that comes in place of one that ended: what the others have in force by now."""
    try:
        fresh = settings.again()
        require_sense(fresh)
    except SettingsError as e:
        log.error("the configuration has become wrong, and counts as it was: %s", e)
        return settings
    return merge(settings, fresh).settings
