"""A message that waits for its time, and its form in the storage."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.said import Kind, Said

ID_BYTES = 18


def new_id() -> str:
    """The id of a scheduled message."""
    return f"sch_{secrets.token_urlsafe(ID_BYTES)}"


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """A message of an account, of the component, or of a hook. Times are Unix times.

    `owner`: the bare address whose quota it uses. `stanza`: the text of it, addressed and with an id; "" for what a hook says.
    `is_id_given`: the client chose the stanza's id, so that another stanza may have it. `of_component`: the component sends it, whose
    senders need no account. `hook`, `hook_number`: the name of the hook and its number; `said`: what it says.
    """

    id: str
    owner: JID
    at: float
    made: float
    to: tuple[str, ...]
    body: str
    stanza: str = ""
    stanza_id: str = ""
    is_id_given: bool = False
    of_component: bool = False
    hook: str | None = None
    hook_number: int = 0
    said: Said | None = field(default=None)

    def to_row(self) -> dict[str, Any]:
        """The member of the owner's table."""
        row: dict[str, Any] = {"at": self.at, "made": self.made, "to": [*self.to], "body": self.body}
        if self.said is None:
            row |= {"stanza": self.stanza, "stanza_id": self.stanza_id}
            return row | {name: True for name in ("is_id_given", "of_component") if getattr(self, name)}
        said = self.said
        told = {name: value for name in _TEXTS if (value := getattr(said, name))}
        return row | {"hook": self.hook, "number": self.hook_number, "said": told | {"kind": said.kind.value}}


_TEXTS = ("text", "key", "state", "ends", "truncated", "template_error", "title", "message")


def from_row(identifier: str, owner: JID, row: Any) -> ScheduledMessage:
    """A member of the owner's table. Raises ValueError for what is none."""
    try:
        told = row.get("said")
        said = None if told is None else Said(Kind(told["kind"]), **{name: told[name] for name in _TEXTS if name in told})
        return ScheduledMessage(
            identifier, owner, float(row["at"]), float(row["made"]), tuple(row["to"]), row["body"],
            row.get("stanza", ""), row.get("stanza_id", ""), row.get("is_id_given", False), row.get("of_component", False),
            row.get("hook"), int(row.get("number", 0)), said,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"{identifier} of {owner} is not a scheduled message: {e!r}") from e
