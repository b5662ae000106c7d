"""Pauses after attempts that failed for another reason than the password: a server in trouble is left alone (accounts-anywhere §5.5)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.backoff import Backoff

FIRST = 1.0  # seconds until the second attempt
LASTING = 60.0  # seconds for which a server is not asked again that is not there, or is not what it should be
PLACES = 10_000  # domains and accounts that are remembered, those that failed longest ago first to go
BACK_OFF = frozenset({"unreachable", "login-later"})
KEPT = frozenset({"no-server", "bad-certificate", "no-tls", "no-login", "impostor"})


class _Pause(NamedTuple):
    backoff: Backoff
    until: float  # monotonic time
    error: GatewayError


class LoginPauses:
    """Whom to leave in peace for how long: domains, and single accounts. Guarded by its owner."""

    def __init__(self, settings: SessionsSettings, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pauses: OrderedDict[str, _Pause] = OrderedDict()  # by domain, or bare address
        self.configure(settings)

    def configure(self, settings: SessionsSettings) -> None:
        """How long a pause may be, from now on."""
        self._longest = settings.retry_max

    def require_none(self, account: JID) -> None:
        """Raises the GatewayError of the last attempt, with the seconds that are left, while the domain or the account has a pause."""
        for key in (account.domain, str(account)):
            pause = self._pauses.get(key)
            if pause is not None and (left := pause.until - self._clock()) > 0:
                error = pause.error
                raise GatewayError(error.name, error.text, retry_after=max(1.0, left) if error.name in BACK_OFF else None)

    def failed(self, account: JID, error: GatewayError, *, of_account: bool) -> None:
        """An attempt has failed so. `of_account`: its neighbours may log in."""
        if error.name not in BACK_OFF | KEPT:
            return
        key = str(account) if of_account else account.domain
        before, now = self._pauses.get(key), self._clock()
        if before is not None and before.until > now and (before.error.name in KEPT or error.name not in KEPT):
            return  # it began before the pause, beside the one that has failed: the server was not asked after that
        backoff = before.backoff if before is not None else Backoff()
        seconds = LASTING if error.name in KEPT else backoff.next(FIRST, self._longest)
        self._pauses[key] = _Pause(backoff, now + seconds, error)
        self._pauses.move_to_end(key)
        if len(self._pauses) > PLACES:
            self._pauses.popitem(last=False)

    def succeeded(self, account: JID) -> None:
        """The server works: it has let the account in, or said that its password is wrong."""
        for key in (account.domain, str(account)):
            self._pauses.pop(key, None)

    def forget(self) -> None:
        """The settings have changed: all may be tried again."""
        self._pauses.clear()

    def left(self) -> Mapping[str, float]:
        """Domain → seconds until it is asked again."""
        now = self._clock()
        return {key: pause.until - now for key, pause in self._pauses.items() if "@" not in key and pause.until > now}
