"""How `send`, `listen` and `status` reach a gateway: by its data folder, without a password, or by its URL, with a token."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from xmpp_rest.cli.access.files import LocalFile

Answer = dict[str, Any]
"""What became of one stanza, as a line of the answer to a batch of `/rest`: `outcome`, `id`, `error` …"""
UNDECIDED = frozenset(("accepted", "written"))
"""Outcomes of what is kept, and not confirmed yet."""


def is_undecided(answer: Answer) -> bool:
    """Whether it is not known yet what becomes of the stanza: with the key `of_room`, whether a room shows it."""
    return answer["outcome"] in UNDECIDED or (answer["outcome"] == "confirmed" and bool(answer.get("of_room")))


class Deadline:
    """A time after which nobody waits any more; None: never."""

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(0.0, self._end - time.monotonic())


class Happened(NamedTuple):
    """A stanza that reached an account, as JSON; its id for resuming, and when it came (Unix time)."""

    id: str
    when: float
    stanza: dict[str, Any]


BEGINNING = "~0"
"""Resumes with the first event that there is, as the id of one that came before all archived ones would."""
GAP = Happened("", 0.0, {})
"""Stands for events that may be missing: there is none of the id after which the reader wanted to resume."""


class Interrupted(Exception):
    """An event stream, or the connection to it, has ended: the reader comes back with the id of the last event."""


class Access(Protocol):
    """One way to a gateway. Its methods raise CannotStart with the exit code that fits: NOPERM, UNAVAILABLE …"""

    def send(self, lines: Sequence[bytes], wait: Deadline) -> list[Answer]:
        """Send stanzas, a JSON object of `/rest` each, in order, and wait for their outcomes; an answer for each."""

    def send_file(self, file: LocalFile, wait: Deadline) -> list[Answer]:
        """Send a file to its recipients, and wait for the outcomes; an answer for each."""

    def last_id(self, account: str | None) -> str:
        """The id of the latest archived event of an account; BEGINNING if there is none."""

    def events(self, account: str | None, after: str | None, until: Deadline) -> Iterator[Happened | None]:
        """What reaches an account (None: the default one), after the event of this id, or from now on.

        None: it listens now, or nothing has come for a while. Raises Interrupted.
        """

    def address(self) -> str:
        """The account that sends where no other is named."""

    def figures(self) -> dict[str, Any]:
        """The state of the gateway, as `/status` tells it."""
