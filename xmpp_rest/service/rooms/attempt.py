"""One attempt of an occupant to come into a room, the nicks that it tries, and the turns that attempts wait for."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Hashable, Iterator

from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.protocol.stanza import new_id
from xmpp_rest.service.rooms.refused import RoomRefusal, RoomRefused, join_refused
from xmpp_rest.service.rooms.values import Wish
from xmpp_rest.threads.timers import Timer

OnEntered = Callable[[RoomRefused | None], None]
"""Gets why the room does not let the occupant in; None: it is in. Called once, by any thread."""
HOOK, CALLBACK = "hook:", "callback:"
"""How `Wish.by` begins for what configuration or hooks want."""
_MOST = 1023  # bytes of a nick (RFC 6122 §2.4)


def default_nick(actor: JID, configured: str) -> str:
    """The nick of who names none: the configured one, the user name, or the first label of a domain."""
    return configured or actor.local or actor.domain.partition(".")[0]


def prepared_nick(room: JID, nick: str) -> str | RoomRefusal:
    """The nick as rooms compare it, "" for none; or why nobody can be called so."""
    try:
        prepared = room.at(nick).resource if nick else ""
    except InvalidJID as e:
        return join_refused(stanza_error("jid-malformed", f"This cannot be a nick: {e}"), str(room))
    if nick and not prepared.strip():
        return join_refused(stanza_error("jid-malformed", "Blanks alone cannot be a nick"), str(room))
    return prepared


def nicks_to_try(nick: str, wish: Wish, *, again: bool) -> Iterator[str]:
    """The nick, and what is tried where somebody has it. One that a request named is not altered, but to come in `again`."""
    yield nick
    if wish.by.startswith(HOOK):
        yield from (f"{nick}_{n}" for n in (2, 3))
    elif again or not wish.is_named:
        random = f"{nick}-{secrets.token_hex(2)}"
        yield from (other for other in (f"{nick}_", f"{nick}__", random) if len(other.encode()) <= _MOST)


def merged(old: Wish, new: Wish) -> Wish:
    """The wish of a request over an earlier one: what it does not name stays. A callback's room stays one."""
    if old.by.startswith(CALLBACK) and not new.by.startswith(CALLBACK):
        new = new._replace(by=old.by, stay=True)
    nick = new._replace(nick=old.nick, is_named=old.is_named) if not new.nick else new
    return nick._replace(password=old.password if new.password is None else new.password)


class Attempt:
    """What is known of it. Guarded by the lock of the memberships."""

    def __init__(self, wish: Wish, kept: Wish, nicks: Iterator[str], *, was_out: bool) -> None:
        """`wish`: what it goes by; `kept`: what counts once it has come in; `was_out`: for good, so that no other attempt follows."""
        self.wish = wish
        self.kept = kept
        self.was_out = was_out
        self._nicks = nicks
        self.nick = next(nicks)
        self.id = new_id()
        """Of the presence that was sent last."""
        self.is_asked = False
        """Whether a presence was sent."""
        self.has_self = self.has_subject = False
        self.is_locked = False
        """Whether the room was made a moment ago, and lets nobody else in yet."""
        self.has_turn = False
        self.is_urgent = False
        """Whether somebody waits for it: then it comes before those that the gateway makes by itself."""
        self.timers: list[Timer] = []

    def next_nick(self) -> bool:
        """Take the next nick; False: there is none."""
        following = next(self._nicks, None)
        if following is None:
            return False
        self.nick, self.id = following, new_id()
        return True

    @property
    def is_complete(self) -> bool:
        """Whether the room has told all that it tells."""
        return self.has_self and self.has_subject and not self.is_locked


class Turns:
    """The attempts at each service of which so many may be under way. Guarded by the lock of the memberships.

    Those for which somebody waits come first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[tuple[Attempt, Callable[[], None]]]] = {}

    def ask(self, service: Hashable, attempt: Attempt, go: Callable[[], None]) -> None:
        """Call `go` with the lock held, once it is the attempt's turn."""
        if self._running.get(service, 0) < self._most:
            self._begin(service, attempt, go)
        else:
            self._waiting.setdefault(service, deque()).append((attempt, go))

    def end(self, service: Hashable, attempt: Attempt) -> None:
        """The attempt is over, or does not want its turn any more."""
        waiting = self._waiting.get(service, deque())
        if not attempt.has_turn:
            self._keep(service, deque(entry for entry in waiting if entry[0] is not attempt))
            return
        attempt.has_turn = False
        self._running[service] -= 1
        if not self._running[service]:
            del self._running[service]
        if waiting and self._running.get(service, 0) < self._most:
            following = next((entry for entry in waiting if entry[0].is_urgent), waiting[0])
            waiting.remove(following)
            self._keep(service, waiting)
            self._begin(service, *following)

    def _keep(self, service: Hashable, waiting: deque[tuple[Attempt, Callable[[], None]]]) -> None:
        if waiting:
            self._waiting[service] = waiting
        else:
            self._waiting.pop(service, None)

    def _begin(self, service: Hashable, attempt: Attempt, go: Callable[[], None]) -> None:
        attempt.has_turn = True
        self._running[service] = self._running.get(service, 0) + 1
        go()
