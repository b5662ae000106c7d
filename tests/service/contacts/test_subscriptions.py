"""The eight rows agree with the tables of RFC 6121 appendix A."""

from __future__ import annotations

import pytest

from xmpp_rest.service.contacts.subscriptions import INBOUND, OUTBOUND, Side, SubscriptionState, moved

N, A, Y = Side.NONE, Side.ASKED, Side.YES
STATES = {  # A.1
    "None": SubscriptionState(N, N),
    "None + Pending Out": SubscriptionState(A, N),
    "None + Pending In": SubscriptionState(N, A),
    "None + Pending Out+In": SubscriptionState(A, A),
    "To": SubscriptionState(Y, N),
    "To + Pending In": SubscriptionState(Y, A),
    "From": SubscriptionState(N, Y),
    "From + Pending Out": SubscriptionState(A, Y),
    "Both": SubscriptionState(Y, Y),
}
SAME = ""
# One column for each table, one row for each state in the order above: the new state, or SAME.
TABLES = {
    ("out", "subscribe"): ["None + Pending Out", SAME, "None + Pending Out+In", SAME, SAME, SAME, "From + Pending Out", SAME, SAME],
    ("out", "unsubscribe"): [SAME, "None", SAME, "None + Pending In", "None", "None + Pending In", SAME, "From", "From"],
    ("out", "subscribed"): [SAME, SAME, "From", "From + Pending Out", SAME, "Both", SAME, SAME, SAME],
    ("out", "unsubscribed"): [SAME, SAME, "None", "None + Pending Out", SAME, "To", "None", "None + Pending Out", "To"],
    ("in", "subscribe"): ["None + Pending In", "None + Pending Out+In", SAME, SAME, "To + Pending In", SAME, SAME, SAME, SAME],
    ("in", "unsubscribe"): [SAME, SAME, "None", "None + Pending Out", SAME, "To", "None", "None + Pending Out", "To"],
    ("in", "subscribed"): [SAME, "To", SAME, "To + Pending In", SAME, SAME, SAME, "Both", SAME],
    ("in", "unsubscribed"): [SAME, "None", SAME, "None + Pending In", "None", "None + Pending In", SAME, "From", "From"],
}
CASES = [(way, kind, old, new or old) for (way, kind), column in TABLES.items() for old, new in zip(STATES, column, strict=True)]


@pytest.mark.parametrize(("way", "kind", "old", "new"), CASES)
def test_every_row_of_appendix_a(way: str, kind: str, old: str, new: str) -> None:
    row = (OUTBOUND if way == "out" else INBOUND)[kind]
    assert moved(STATES[old], row) == STATES[new]


def test_which_stanzas_go_on_without_a_change() -> None:
    assert {kind for kind, row in OUTBOUND.items() if row.always} == {"subscribe", "unsubscribe"}
    assert not any(row.always for row in INBOUND.values())


WORDS = {
    "None": ("none", "none"),
    "None + Pending Out": ("none", "out"),
    "None + Pending In": ("none", "in"),
    "None + Pending Out+In": ("none", "both"),
    "To": ("to", "none"),
    "To + Pending In": ("to", "in"),
    "From": ("from", "none"),
    "From + Pending Out": ("from", "out"),
    "Both": ("both", "none"),
}


@pytest.mark.parametrize("name", STATES)
def test_the_words_for_a_state(name: str) -> None:
    assert (STATES[name].subscription, STATES[name].ask) == WORDS[name]
