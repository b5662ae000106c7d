"""Which hooks each account has: the store `hooks` of the account, which may also name some that are gone."""

from __future__ import annotations

from collections.abc import Callable

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.stored import HOOKS_OF


class Owned:
    """The names of the hooks of accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def names(self, owner: JID) -> list[str]:
        """Those of this account, by name."""
        return sorted(_names(self._driver.load(owner.local, owner.domain, HOOKS_OF)))

    def add(self, owner: JID, name: str, most: int, is_there: Callable[[str], bool]) -> None:
        """Add a name. Raises GatewayError, hooks-full, if there are `most` of them; `is_there`: whether the account has such a hook."""

        def put(table: Table | None) -> Table:
            names = _names(table)
            if name not in names and len(names) >= most:
                names = {known: 1 for known in names if is_there(known)}
                if len(names) >= most:
                    raise GatewayError("hooks-full", f"{owner} has {len(names)} hooks, and may have {most} ([hooks] per_account)")
            return names | {name: 1}

        self._driver.update(owner.local, owner.domain, HOOKS_OF, put)

    def discard(self, owner: JID, name: str) -> None:
        """Take a name out."""
        self._driver.update(owner.local, owner.domain, HOOKS_OF, lambda table: {n: 1 for n in _names(table) if n != name})


def _names(table: Table | None) -> dict[str, int]:
    return dict.fromkeys(table, 1) if isinstance(table, dict) else {}
