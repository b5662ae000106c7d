"""Filters of readers: which messages they want (hooks §13.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.api.ntfy.priority import read_priority

DEFAULT = 3  # the priority of a message that has none


@dataclass(frozen=True, slots=True)
class Filters:
    """All of these must fit; what is empty fits everything."""

    id: str = ""
    message: str = ""
    title: str = ""
    priorities: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()

    def fit(self, shown: Mapping[str, Any]) -> bool:
        """Whether a message, as it is shown, is wanted."""
        wanted = (("id", self.id), ("message", self.message), ("title", self.title))
        if any(text and shown.get(name, "") != text for name, text in wanted):
            return False
        if self.priorities and shown.get("priority", DEFAULT) not in self.priorities:
            return False
        return self.tags <= set(shown.get("tags", ()))


def read_filters(parameters: Parameters) -> Filters:
    """The filters of a request. Raises NtfyError, 40007."""
    priorities = {read_priority(word) for word in parameters.listed("priority")}
    return Filters(
        parameters.text("id"),
        parameters.text("message"),
        parameters.text("title"),
        frozenset(priority for priority in priorities if priority is not None),
        frozenset(parameters.listed("tags")),
    )
