"""A request to a hook counts for the hook, and for the account that owns it."""

from __future__ import annotations

from dataclasses import replace

from tests.processes.memory import alone
from xmpp_rest.config.hook_tables import LimitSettings
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.limits.limits import RateLimits
from xmpp_rest.service.limits.of_hooks import HookLimits

HOOKS, JULIET = parse_jid("hooks@capulet.example"), parse_jid("juliet@capulet.example")
SETTINGS = LimitSettings(hook=3, token=0, account=4, scheduled=10, schedule_days=30)
HOOK = Hook("ops", JULIET, JULIET, (), 1, 0.0)


def test_the_hooks_of_an_account_share_its_limit() -> None:
    limits = HookLimits(RateLimits(alone()), SETTINGS, HOOKS)
    assert limits.take(HOOK).fields()["RateLimit-Policy"] == '"hook";q=3;w=60'
    assert [limits.take(HOOK).allowed for _ in range(3)] == [True, True, False]
    other = replace(HOOK, name="other")
    assert limits.take(other).kind == "account"
    assert limits.take(other).kind == "account"
    assert not limits.look(other).left
    assert limits.take(replace(HOOK, name="theirs", owner=HOOKS)).allowed


def test_a_rate_of_its_own() -> None:
    limits = HookLimits(RateLimits(alone()), SETTINGS, HOOKS)
    assert limits.take(replace(HOOK, rate=2)).quota == 2
    limits.configure(replace(SETTINGS, hook=0, account=0))
    assert limits.take(HOOK).fields() == {}
