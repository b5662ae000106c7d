"""Reloading of the configuration while the gateway runs: applies the settings that can change, and names the others."""

from __future__ import annotations

import logging

from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.live import Merged, merge, merge_for_new_processes
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.logs.setup import follow
from xmpp_rest.service.hooks.template_files import check_template

log = logging.getLogger("xmpp_rest.config")

LOG = ("log_format", "log_level", "log_levels")


def reread(settings: Settings) -> Merged:
    """The settings as the configuration has them now, as far as they can be in force. Raises SettingsError."""
    fresh = settings.again()
    require_sense(fresh, registry(), check_template)
    return merge(settings, fresh)


def reread_for_new_processes(settings: Settings) -> Merged:
    """The settings of processes that come in place of others. Raises SettingsError."""
    fresh = settings.again()
    require_sense(fresh, registry(), check_template)
    return merge_for_new_processes(settings, fresh)


def put_in_force(parts: Parts, before: Settings, merged: Merged) -> None:
    """Have the parts work by these settings."""
    settings, auth = merged.settings, merged.settings.auth
    login_domains = LoginDomains(settings.logins, settings.domains)
    parts.authenticator.configure(auth.admins, settings.rest.credentials, auth.failures, login_domains)
    parts.foreign_accounts.configure(login_domains, settings.sessions)
    parts.foreign_sending.configure(settings.sessions)
    parts.passwords.configure(auth.password_hash, auth.iterations)
    parts.data_usage.configure(settings.data)
    parts.scheduled.configure(settings.limits)
    for retention in (parts.retention, *(each.retention for each in parts.apart)):
        retention.configure(settings.archive)
    parts.hooks_address.configure(settings.hooks.address)
    parts.hook_sender.configure(settings.hooks)
    parts.hooks.configure(settings)
    parts.hook_limits.configure(settings.limits)
    parts.hook_settings.configure(settings)
    parts.files.configure(settings)
    parts.hosted.files.configure(settings)
    parts.foreign.files.configure(settings)
    parts.memberships.configure(settings.rooms_anywhere)
    parts.speaking.configure(settings.rooms_anywhere, settings.sessions)
    parts.access_log.configure(settings.server.access_log)
    parts.cluster.configure(settings)
    if any(getattr(settings.server, key) != getattr(before.server, key) for key in LOG):
        follow(settings.server)
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
