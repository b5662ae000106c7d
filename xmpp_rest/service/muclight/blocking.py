"""Blocking lists of MUC Light: rooms and users that may not add an account to a room (XEP Multi-User Chat Light §4.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID

BLOCKING = "muclight_blocking"  # by the user's bare address
MAX_ITEMS = 1000


class Blocked(NamedTuple):
    """A blocked room, or a blocked user, who may not add the account to rooms."""

    what: Literal["room", "user"]
    jid: JID


class Blocking:
    """The blocking lists of all users of the rooms. Every method raises StorageError."""

    def __init__(self, driver: Driver, domain: str, blocks: Callable[[JID, JID], bool]) -> None:
        """`blocks`: whether somebody has blocked an address as a whole (XEP-0191)."""
        self._driver = driver
        self._domain = domain
        self._blocks = blocks

    def items(self, user: JID) -> list[tuple[str, str]]:
        """("room" or "user", address) of each entry that `user` (bare address) denies."""
        return _items(self._driver.load(str(user), self._domain, BLOCKING))

    def change(self, user: JID, items: Mapping[Blocked, bool]) -> None:
        """Deny those that map to True, and allow the others again. Raises GatewayError: bad-room-change for too many."""

        def work(table: Table | None) -> Table:
            denied = dict.fromkeys(_items(table))
            for item, deny in items.items():
                key = (item.what, str(item.jid))
                denied.pop(key, None)
                if deny:
                    denied[key] = None
            if len(denied) > MAX_ITEMS:
                raise GatewayError("bad-room-change", f"a blocking list has at most {MAX_ITEMS} items")
            return [{"what": what, "jid": jid} for what, jid in denied]

        self._driver.update(str(user), self._domain, BLOCKING, work)

    def willing(self, users: Iterable[JID], room: JID, actor: JID) -> set[JID]:
        """Those of `users` whose lists allow `actor` to add them to `room`."""
        refused = {("room", str(room)), ("user", str(actor))}
        return {user for user in users if user == actor or not (self._blocked(user, room, actor) or refused.intersection(self.items(user)))}

    def _blocked(self, user: JID, *others: JID) -> bool:
        return any(self._blocks(user, other) for other in others)


def _items(table: Table | None) -> list[tuple[str, str]]:
    return [(row["what"], row["jid"]) for row in table] if isinstance(table, list) else []
