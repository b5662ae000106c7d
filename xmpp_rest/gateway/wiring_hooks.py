"""Builds the parts of incoming hooks, in the order in which they need each other. Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers import Driver
from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.config.table import Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.hooks.hooks import Hooks


@dataclass(frozen=True)
class HookParts:
    """What there is for hooks."""

    hooks: Hooks


def hooks(settings: Settings, driver: Driver, remote: Remote, incidents: Incidents, authenticator: Authenticator) -> HookParts:
    """The parts of one process."""
    known = Hooks(driver, settings, remote, incidents, authenticator.is_admin)
    return HookParts(hooks=known)
