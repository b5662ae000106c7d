"""What is remembered of the matters that hooks with `update` speak of, by their keys (hooks §11). Kept by the storage driver."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from drivers import Driver, Table
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.hooks.stored import user_of

STORE = "hook_matters"  # of a hook: SAID, and for each key the hash of its name → what is known of it
SAID = "said"
KEPT = 7 * 86_400.0  # seconds
MOST = 1000  # keys of one hook; the oldest go first
LINE = 300  # characters of the first line that are kept


class Matter(NamedTuple):
    """One matter, at one target. `state`: as it was said last; `ended`: whether that was the last of it."""

    first: str
    """The id of its first message."""
    last: str
    """The id of that, or of its last correction."""
    author: str
    """Who said it: a full address, in a room that of the occupant."""
    sender: str
    """The bare address that the hook had."""
    line: str
    """The first line of the first message."""
    state: str
    ended: bool
    stanza_id: str = ""
    """What the room calls the first message."""


class LastSaid(NamedTuple):
    """What an address has said last to the targets of a hook. `ids`: by target."""

    sender: JID
    ids: dict[str, str]


class Matters:
    """The matters of all hooks. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, clock: Callable[[], float] = time.time) -> None:
        self._driver = driver
        self._domain = domain
        self._clock = clock

    def find(self, hook: str, key: str, target: JID) -> Matter | None:
        """What is known of the matter with this key at this target."""
        name = _name(key)
        table = self._driver.load_members(user_of(hook), self._domain, STORE, [name])
        entry = table.get(name) if isinstance(table, dict) else None
        return _read(self._places(entry).get(str(target)))

    def keep(self, hook: str, key: str, target: JID, sender: JID, matter: Matter, said: str) -> None:
        """Keep a matter; `said`: the id of what `sender` has just said about it to the target."""
        name, crowded = _name(key), False

        def change(table: Table | None, count: Callable[[], int]) -> Table:
            nonlocal crowded
            members = table if isinstance(table, dict) else {}
            entry = members.get(name)
            places = {**self._places(entry), str(target): list(matter)}
            new = {name: {"at": self._clock(), "to": places}, SAID: _said(members, sender, target, said)}
            crowded = count() + (name not in members) + (SAID not in members) > MOST + 1
            return new

        self._driver.update_members(user_of(hook), self._domain, STORE, [name, SAID], change)
        if crowded:
            self._driver.update(user_of(hook), self._domain, STORE, self._without_oldest)

    def name_first(self, hook: str, key: str, target: JID, first: str, stanza_id: str) -> None:
        """Keep what the room calls the first message of a matter."""
        name = _name(key)

        def change(table: Table | None, _: Callable[[], int]) -> Table | None:
            entry = table.get(name) if isinstance(table, dict) else None
            places = self._places(entry)
            matter = _read(places.get(str(target)))
            if not isinstance(entry, dict) or matter is None or matter.first != first:
                return table
            return {name: {**entry, "to": {**places, str(target): list(matter._replace(stanza_id=stanza_id))}}}

        self._driver.update_members(user_of(hook), self._domain, STORE, [name], change)

    def say(self, hook: str, target: JID, sender: JID, said: str) -> None:
        """Keep the id of what `sender` has said to the target, about something else."""

        def change(table: Table | None, _: Callable[[], int]) -> Table | None:
            members = table if isinstance(table, dict) else {}
            return {SAID: _said(members, sender, target, said)} if SAID in members else table

        self._driver.update_members(user_of(hook), self._domain, STORE, [SAID], change)

    def last_said(self, hook: str) -> LastSaid | None:
        """What was said last by whom."""
        table = self._driver.load_members(user_of(hook), self._domain, STORE, [SAID])
        return _read_said(table.get(SAID)) if isinstance(table, dict) else None

    def hooks(self) -> Iterator[str]:
        """The names of the hooks of which matters are kept."""
        for user in self._driver.users(self._domain, STORE):
            if user.startswith(user_of("")):
                yield user.removeprefix(user_of(""))

    def forget(self, hook: str) -> None:
        """The hook is no longer there."""
        self._driver.store(user_of(hook), self._domain, STORE, None)

    def _places(self, entry: Any) -> dict[str, Any]:
        """Target → what is known of a matter there; nothing, if it is too old, or another program has written it."""
        if not isinstance(entry, dict) or not isinstance(entry.get("to"), dict):
            return {}
        at = entry.get("at")
        return entry["to"] if isinstance(at, int | float) and abs(self._clock() - at) < KEPT else {}

    def _without_oldest(self, table: Table | None) -> Table | None:
        if not isinstance(table, dict):
            return None
        keys = [name for name, entry in table.items() if name != SAID and self._places(entry)]
        newest = sorted(keys, key=lambda name: float(table[name]["at"]))[-MOST:]
        return {name: table[name] for name in (*newest, *([SAID] if SAID in table else ()))}


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _read(fields: Any) -> Matter | None:
    """The matter of a table; None for what another program has written."""
    if not isinstance(fields, list) or len(fields) != len(Matter._fields):
        return None
    matter = Matter(*fields)
    texts = (matter.first, matter.last, matter.author, matter.sender, matter.line, matter.state, matter.stanza_id)
    return matter if all(isinstance(text, str) for text in texts) and isinstance(matter.ended, bool) else None


def _said(members: dict[str, Any], sender: JID, target: JID, said: str) -> dict[str, Any]:
    before = _read_said(members.get(SAID))
    ids = before.ids if before is not None and before.sender == sender else {}
    return {"from": str(sender), "to": {**ids, str(target): said}}


def _read_said(value: Any) -> LastSaid | None:
    if not isinstance(value, dict) or not isinstance(value.get("to"), dict):
        return None
    try:
        sender = parse_jid(str(value.get("from", "")))
    except InvalidJID:
        return None
    return LastSaid(sender, {str(target): str(said) for target, said in value["to"].items()})
