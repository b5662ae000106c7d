"""Subscription states: the changes that requests and answers make between an account and a contact (RFC 6121 §3, appendix A).

The nine states of appendix A.1 are two sides with three steps each: whether the account sees the contact's presence, and whether
the contact sees the account's. Each of the eight stanzas changes one side and leaves the other alone, so the tables of A.2 and A.3 (nine
rows each) are the eight rows below.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple


class Side(Enum):
    """The progress of one direction of a subscription."""

    NONE = "none"
    ASKED = "asked"  # a request waits for its answer
    YES = "yes"


class SubscriptionState(NamedTuple):
    """Both directions, seen from the account."""

    to: Side = Side.NONE  # the account sees the contact's presence
    from_: Side = Side.NONE  # the contact sees the account's presence

    @property
    def subscription(self) -> str:
        """`none`, `to`, `from` or `both` (RFC 6121 §2.1.2.5)."""
        return _SUBSCRIPTIONS[self.to is Side.YES, self.from_ is Side.YES]

    @property
    def ask(self) -> str:
        """The pending requests: `none`, `out` (the account's), `in` (the contact's) or `both`."""
        return _ASKS[self.to is Side.ASKED, self.from_ is Side.ASKED]


_SUBSCRIPTIONS = {(False, False): "none", (True, False): "to", (False, True): "from", (True, True): "both"}
_ASKS = {(False, False): "none", (True, False): "out", (False, True): "in", (True, True): "both"}
SUBSCRIPTIONS = {word: sides for sides, word in _SUBSCRIPTIONS.items()}
"""Word → (whether the account sees the contact, whether the contact sees the account)."""

STRANGER = SubscriptionState()


class Transition(NamedTuple):
    """One table of the appendix: the side that changes, its steps, and whether the stanza is passed on without a change."""

    side: Literal["to", "from_"]
    steps: dict[Side, Side]
    always: bool = False  # route (A.2) or deliver (A.3) it also without a change of state


_ASK = {Side.NONE: Side.ASKED}
_GRANT = {Side.ASKED: Side.YES}
_END = {Side.ASKED: Side.NONE, Side.YES: Side.NONE}

OUTBOUND: dict[str, Transition] = {  # A.2: the account sends it
    "subscribe": Transition("to", _ASK, always=True),
    "unsubscribe": Transition("to", _END, always=True),
    "subscribed": Transition("from_", _GRANT),
    "unsubscribed": Transition("from_", _END),
}
INBOUND: dict[str, Transition] = {  # A.3: the account receives it
    "subscribe": Transition("from_", _ASK),
    "unsubscribe": Transition("from_", _END),
    "subscribed": Transition("to", _GRANT),
    "unsubscribed": Transition("to", _END),
}
KINDS = frozenset(OUTBOUND)


def moved(state: SubscriptionState, row: Transition) -> SubscriptionState:
    """The state after the stanza of this row."""
    side: Side = getattr(state, row.side)
    return state._replace(**{row.side: row.steps.get(side, side)})
