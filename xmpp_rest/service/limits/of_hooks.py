"""The limits of requests to hooks: those of the hook, of the account which owns it, and of the OAuth token that they come with."""

from __future__ import annotations

from xmpp_rest.config.hook_tables import LimitSettings
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.limits.limits import ACCOUNT, HOOK, TOKEN, Allowance, Bucket, RateLimits


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

    def take(self, hook: Hook, token: str = "") -> Allowance:
        """Take one request. `token`: the name of an OAuth token's bucket. Raises GatewayError where there is no leader to ask."""
        return self._limits.take(self._buckets(hook, token))

    def look(self, hook: Hook, token: str = "") -> Allowance:
        """As `take`, but nothing is taken: for a repetition."""
        return self._limits.look(self._buckets(hook, token))

    def _buckets(self, hook: Hook, token: str) -> list[Bucket]:
        rate = self._settings.hook if hook.rate is None else hook.rate
        of_account = 0 if hook.owner == self._address else self._settings.account
        of_token = self._settings.token if token else 0
        return [Bucket(HOOK, hook.name, rate), Bucket(ACCOUNT, str(hook.owner), of_account), Bucket(TOKEN, token, of_token)]
