"""What has become of a request to a hook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.said import Said


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one recipient. `how`: sent, corrected, replied; `error`: why it was refused, None where it was accepted."""

    to: str
    """The target as the hook has it."""
    id: str
    """The stanza's."""
    how: str = "sent"
    error: StanzaError | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in answers."""
        if self.error is None:
            return {"to": self.to, "id": self.id, "outcome": "accepted", "how": self.how}
        return {"to": self.to, "id": self.id, "outcome": "refused", "error": {k: v for k, v in self.error._asdict().items() if v}}


@dataclass(frozen=True, slots=True)
class Due:
    """A message that waits for its time (Unix time)."""

    id: str
    at: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """One request that was delivered, or tried to be: the hook's name, what was said, and the results in the order of the targets.

    `number`: of the hook's messages; `at`: Unix time; `due`: it was scheduled, and there are no results yet. `replayed`: it is
    what became of the same request before.
    """

    hook: str
    format: str
    said: Said
    results: tuple[Result, ...]
    number: int
    at: float
    due: Due | None = None
    replayed: bool = False

    @property
    def anybody(self) -> bool:
        """Whether one recipient at least has accepted it."""
        return any(result.error is None for result in self.results)


def is_for_now(results: Sequence[Result]) -> bool:
    """Whether one recipient at least has refused for now, so that the same message may be delivered later."""
    return any(result.error is not None and result.error.type == "wait" for result in results)
