"""Builds what handles requests to hooks. Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.in_force import HookSettingsInForce
from xmpp_rest.service.hooks.once import SHARDS, OnceOnly
from xmpp_rest.service.hooks.pictures import HookPictures
from xmpp_rest.service.hooks.published import Published
from xmpp_rest.service.hooks.requests import HookRequests
from xmpp_rest.service.hooks.saying import Sayings
from xmpp_rest.service.hooks.sender import LONGEST, HookSender
from xmpp_rest.service.limits.limits import RateLimits
from xmpp_rest.service.limits.of_hooks import HookLimits
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.service.scheduled.scheduled import Scheduled
from xmpp_rest.threads.waits import Waits

INTERRUPTED = 2 * LONGEST
"""Seconds after which a request counts as cut off by a crash: longer than one can take."""


@dataclass(frozen=True)
class HookRequestParts:
    """What handles requests to hooks, and what that consists of."""

    requests: HookRequests
    sayings: Sayings
    limits: HookLimits


def hook_requests(
    settings: Settings, driver: Driver, waits: Waits, limits: RateLimits, hooks: Hooks, sender: HookSender, scheduled: Scheduled,
    published: Published, in_force: HookSettingsInForce, counts: Counts, pictures: HookPictures,
) -> HookRequestParts:  # fmt: skip
    """The parts of one process."""
    sayings = Sayings(in_force.hooks, in_force.templates_folder)
    of_hooks = HookLimits(limits, settings.limits, settings.hooks.address)
    once = OnceOnly(Idempotency(driver, INTERRUPTED, "hook_once", SHARDS), waits)
    requests = HookRequests(once, of_hooks, sayings, sender, scheduled, hooks, counts, published.add, pictures.send)
    return HookRequestParts(requests, sayings, of_hooks)
