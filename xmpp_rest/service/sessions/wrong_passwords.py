"""Counts the wrong passwords that servers are asked about, so that no server is asked too often (accounts-anywhere §5.4).

An attempt is counted before the server is asked, and given back unless the server says that the password is wrong.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from xmpp_rest.auth.throttle import network_of, overlaps, parse_network
from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.protocol.jid import JID

PLACES = 10_000  # accounts, addresses and domains each of which are remembered, those that failed longest ago first to go


class Bound(Enum):
    """What is counted."""

    ACCOUNT = "account"
    ADDRESS = "address"  # wrong passwords for accounts of one domain, from one client address
    DOMAIN = "domain"


@dataclass(frozen=True, eq=False)
class Guess:
    """Who tries which password, from where; each is another one."""

    account: JID
    address: str
    proof: bytes = field(repr=False)

    def keys(self) -> dict[Bound, tuple[str, ...]]:
        """By what it is counted."""
        domain = _name_in_dns(self.account.domain)
        account = str(self.account._replace(domain=domain))
        return {Bound.ACCOUNT: (account,), Bound.ADDRESS: (network_of(self.address), domain), Bound.DOMAIN: (domain,)}


def _name_in_dns(domain: str) -> str:
    """A domain in A-labels: written with U-labels it is the same server, where guesses are to be counted together."""
    try:
        return domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:  # it has none, and no server is asked
        return domain


class _Guessed:
    """What is counted of one account, address or domain."""

    __slots__ = ("failed", "under_way")

    def __init__(self) -> None:
        self.failed: OrderedDict[bytes, float] = OrderedDict()  # a proof, or a number, and when the server refused it: monotonic time
        self.under_way: set[Guess] = set()


class WrongPasswords:
    """The counts of all accounts, addresses and domains. Guarded by its owner."""

    def __init__(self, settings: SessionsSettings, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted: dict[Bound, OrderedDict[tuple[str, ...], _Guessed]] = {bound: OrderedDict() for bound in Bound}
        self._asked = 0  # times that a server has refused a password
        self.configure(settings)

    def configure(self, settings: SessionsSettings) -> None:
        """How many there may be from now on."""
        self._window = settings.failures_window
        self._most = {
            Bound.ACCOUNT: settings.failures_account, Bound.ADDRESS: settings.failures_address, Bound.DOMAIN: settings.failures_domain,
        }  # fmt: skip

    def require_few(self, guess: Guess, bounds: Iterable[Bound] = Bound) -> None:
        """Raises GatewayError (login-paused, or too-many-failures) if there were as many wrong ones as there may be."""
        keys = guess.keys()
        for bound in bounds:
            counted = self._of(bound, keys[bound])
            if counted is not None and len(counted.failed) >= self._most[bound]:
                left = max(1.0, next(iter(counted.failed.values())) + self._window - self._clock())
                raise self._error(bound, guess.account.domain, left)

    @staticmethod
    def _error(bound: Bound, domain: str, seconds: float) -> GatewayError:
        if bound is not Bound.DOMAIN:
            return GatewayError("too-many-failures", retry_after=seconds)
        return at_server("login-paused", domain, retry_after=seconds)

    def is_open(self, guess: Guess) -> bool:
        """Whether the outcome of those that are under way cannot change what this one is answered: else it waits for them."""
        for bound, key in guess.keys().items():
            counted = self._of(bound, key)
            if counted is not None and len(counted.failed) < self._most[bound] <= len(counted.failed) + len(counted.under_way):
                return False
        return True

    def begin(self, guess: Guess) -> None:
        """The server is about to be asked."""
        for bound, key in guess.keys().items():
            self._counted[bound].setdefault(key, _Guessed()).under_way.add(guess)

    def refused(self, guess: Guess) -> None:
        """The server, which was asked, has said that the password is wrong."""
        self._asked += 1
        now = self._clock()
        for bound, key in guess.keys().items():
            # the same password again is no other guess of who has it, but the server has counted it
            what = self._asked.to_bytes(8, "big") if bound is Bound.DOMAIN else guess.proof
            counted = self._counted[bound].setdefault(key, _Guessed())
            counted.failed.setdefault(what, now)
            if len(counted.failed) > self._most[bound]:
                counted.failed.popitem(last=False)
            self._counted[bound].move_to_end(key)
        self.end(guess)

    def succeeded(self, guess: Guess) -> None:
        """The server, which was asked, has said that the password is right: account and address begin again, the domain does not."""
        for bound in (Bound.ACCOUNT, Bound.ADDRESS):
            if (counted := self._counted[bound].get(guess.keys()[bound])) is not None:
                counted.failed.clear()
        self.end(guess)

    def end(self, guess: Guess) -> None:
        """The server is not asked any more; without a word about the password it does not count. May be called again."""
        for bound, key in guess.keys().items():
            there = self._counted[bound]
            if (counted := there.get(key)) is None:
                continue
            counted.under_way.discard(guess)
            if not counted.failed and not counted.under_way:
                del there[key]
            elif len(there) > PLACES:
                self._shrink(there)

    @staticmethod
    def _shrink(there: OrderedDict[tuple[str, ...], _Guessed]) -> None:
        """Forget what failed longest ago and is not under way."""
        key = next((key for key, counted in there.items() if not counted.under_way), None)
        if key is not None:
            del there[key]

    def unban(self, network: str) -> int:
        """Forget the failures from an address or a network; for how many pairs of address and domain there were any. Raises ValueError."""
        wanted = parse_network(network)
        there = self._counted[Bound.ADDRESS]
        found = [counted for (address, _), counted in there.items() if counted.failed and overlaps(address, wanted)]
        for counted in found:
            counted.failed.clear()
        return len(found)

    def paused_domains(self) -> dict[str, float]:
        """Domain → seconds until new logins may come, of those that have too many."""
        there = {key[0]: self._of(Bound.DOMAIN, key) for key in list(self._counted[Bound.DOMAIN])}
        now, most = self._clock(), self._most[Bound.DOMAIN]
        full = {domain: counted for domain, counted in there.items() if counted is not None and len(counted.failed) >= most}
        return {domain: next(iter(counted.failed.values())) + self._window - now for domain, counted in full.items()}

    def of_domains(self) -> dict[str, int]:
        """Domain → wrong passwords of the last `failures_window` seconds."""
        found = {key[0]: self._of(Bound.DOMAIN, key) for key in list(self._counted[Bound.DOMAIN])}
        return {domain: len(counted.failed) for domain, counted in found.items() if counted is not None and counted.failed}

    def _of(self, bound: Bound, key: tuple[str, ...]) -> _Guessed | None:
        """What is counted, without what is older than the window."""
        counted = self._counted[bound].get(key)
        if counted is None:
            return None
        oldest = self._clock() - self._window
        while counted.failed and next(iter(counted.failed.values())) <= oldest:
            counted.failed.popitem(last=False)
        if not counted.failed and not counted.under_way:
            del self._counted[bound][key]
            return None
        return counted
