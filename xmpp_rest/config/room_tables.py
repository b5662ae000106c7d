"""The settings of rooms on other servers."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.config import readers, room_readers
from xmpp_rest.config.setting import setting

_DAY, _YEAR = 86_400, 31_536_000
_COUNT = readers.number(1, 100_000)


@dataclass(frozen=True)
class RoomsAnywhereSettings:
    """Rooms of XEP-0045 on other servers, in which accounts and bots speak."""

    join: str = setting("on-demand", readers.choice("on-demand", "never"), "on-demand: an account that speaks in a room is joined to it. never: only PUT /rest/rooms and callbacks join.")
    nick: str = setting("", room_readers.optional_nick, "Default nick. Empty: the user name of who joins; of the domain itself its first label.")
    resource: str = setting("xmpp-rest", room_readers.resource, "Resource of the address by which an account is in its rooms.")
    no_join: frozenset[str] = setting("", room_readers.domains, "Domains whose rooms are spoken to without joining them (MUC Light, MIX, services of one's own), separated by commas.")
    join_timeout: float = setting("10", readers.seconds(0.1, _DAY), "Seconds for a join, from asking to being in.")
    reflection_timeout: float = setting("10", readers.seconds(0.1, _DAY), "Seconds for a room to show a message to its sender; after that it is asked whether the sender is still in.")
    idle: float = setting("86400", readers.seconds(0, _YEAR), "Seconds without an own message after which a room that was joined on demand is left. 0: never.")
    self_ping: float = setting("600", readers.seconds(0.1, _YEAR), "Seconds of silence of a room after which it is asked whether the account is still in (XEP-0410).")
    retry_max: float = setting("300", readers.seconds(0.1, _DAY), "Maximum number of seconds between two attempts to join a room again.")
    hold: float = setting("300", readers.seconds(0.1, _DAY), "Seconds that a message waits for a room that is being joined again, or that asked to slow down.")
    held: int = setting("100", _COUNT, "Maximum number of such messages of one room; more get 503.")
    rooms: int = setting("100", _COUNT, "Maximum number of rooms of one account; more get 403.")
    joins: int = setting("30", _COUNT, "Maximum number of joins of one account in a minute; more get 429.")
    joins_at_once: int = setting("5", _COUNT, "Maximum number of joins under way at one service; more wait their turn.")
    occupants: int = setting("1000", _COUNT, "Maximum number of occupants of one room that are kept and listed.")
    keep: int = setting("1000", readers.number(0, 100_000), "Messages of each room that are kept for resuming and reading. 0: none.")
