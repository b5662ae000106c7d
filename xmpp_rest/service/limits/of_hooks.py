"""The limits of requests to hooks: that of the hook, and that of the account which owns it."""

from __future__ import annotations

from xmpp_rest.config.hook_tables import LimitSettings
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.limits.limits import ACCOUNT, HOOK, Allowance, Bucket, RateLimits


class HookLimits:
    """Takes requests to hooks out of their buckets. `configure` may be called at any time."""

    def __init__(self, limits: RateLimits, settings: LimitSettings, address: JID) -> None:
        """`address`: the owner of the hooks of the configuration, without an account."""
        self._limits = limits
        self._settings = settings
        self._address = address

    def configure(self, settings: LimitSettings) -> None:
        """Keep to these limits from now on."""
        self._settings = settings

    def take(self, hook: Hook) -> Allowance:
        """Take one request. Raises GatewayError where there is no leader to ask."""
        return self._limits.take(self._buckets(hook))

    def look(self, hook: Hook) -> Allowance:
        """As `take`, but nothing is taken: for a repetition."""
        return self._limits.look(self._buckets(hook))

    def _buckets(self, hook: Hook) -> list[Bucket]:
        rate = self._settings.hook if hook.rate is None else hook.rate
        of_account = 0 if hook.owner == self._address else self._settings.account
        return [Bucket(HOOK, hook.name, rate), Bucket(ACCOUNT, str(hook.owner), of_account)]
