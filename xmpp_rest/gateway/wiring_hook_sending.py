"""Builds what sends the messages of hooks. Starts nothing."""

from __future__ import annotations

from xmpp_rest.config.table import Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.hooks.sender import HookSender
from xmpp_rest.service.hooks.to_one import ToOne
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Waits


def hook_sender(
    settings: Settings,
    router: Router,
    sending: Sending,
    outcomes: Outcomes,
    guard: Guard,
    waits: Waits,
    remote: Remote,
    incidents: Incidents,
) -> HookSender:
    """The sender of one process."""
    return HookSender(settings.hooks, ToOne(router, sending, outcomes, guard, remote), waits, remote, incidents)
