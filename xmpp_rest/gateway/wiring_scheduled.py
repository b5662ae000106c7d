"""Builds scheduled sending."""

from __future__ import annotations

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.published import Published
from xmpp_rest.service.hooks.sender import HookSender
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.scheduled.hook_messages import HookMessages
from xmpp_rest.service.scheduled.runner import ScheduledRunner
from xmpp_rest.service.scheduled.scheduled import Scheduled
from xmpp_rest.service.scheduled.sending import ScheduledSending
from xmpp_rest.service.scheduled.side_by_side import SideBySide
from xmpp_rest.service.scheduled.store import ScheduledStore


def build_scheduled(
    settings: Settings,
    driver: Driver,
    sending: Sending,
    accounts: Accounts,
    outcomes: Outcomes,
    hooks: Hooks,
    hook_sender: HookSender,
    published: Published,
    remote: Remote,
    incidents: Incidents,
) -> tuple[Scheduled, ScheduledRunner]:
    """What the APIs schedule with, and what sends in the leader."""
    store = ScheduledStore(driver, settings.gateway.domain)
    side_by_side = SideBySide()
    due_sending = ScheduledSending(sending, accounts, outcomes, HookMessages(hooks, hook_sender, published), side_by_side)
    runner = ScheduledRunner(store, due_sending, incidents, side_by_side)
    scheduled = Scheduled(store, runner, sending, remote, settings.limits, settings.link.send_limit, published.withdraw)
    hooks.removed.subscribe(scheduled.hook_removed)
    return scheduled, runner
