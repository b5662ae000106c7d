"""Reloading of the configuration while the gateway runs: applies the settings that can change, and names the others."""

from __future__ import annotations

import logging

from drivers import __name__ as drivers_name
from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.live import Merged, merge
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.parts import Parts

log = logging.getLogger(__name__)
LOGGERS = ("xmpp_rest", drivers_name)


def set_level(level: int) -> None:
    """Log from this level on, in this process."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)


def reread(settings: Settings) -> Merged:
    """The settings as the configuration has them now, as far as they can be in force. Raises SettingsError."""
    fresh = settings.again()
    require_sense(fresh, registry())
    return merge(settings, fresh)


def put_in_force(parts: Parts, before: Settings, merged: Merged) -> None:
    """Have the parts work by these settings."""
    settings, auth = merged.settings, merged.settings.auth
    parts.authenticator.configure(auth.admins, settings.rest.credentials, auth.failures)
    parts.passwords.configure(auth.password_hash, auth.iterations)
    parts.data_usage.configure(settings.data)
    parts.retention.configure(settings.archive)
    if settings.server.log_level != before.server.log_level:
        set_level(logging.getLevelNamesMapping()[settings.server.log_level.upper()])
    for names, what in ((merged.applied, "in force"), (merged.waiting, "in need of a restart")):
        if names:
            log.info("the configuration was read again: %s: %s", what, ", ".join(names))


def refreshed(settings: Settings) -> Settings:
    """The settings that the other processes have in force, for a process that replaces an ended one."""
    try:
        return reread(settings).settings
    except SettingsError as e:
        log.error("the configuration has become wrong, and counts as it was: %s", e)
        return settings
