"""Words of the command line become arguments; those of our own, at the end, may be left out."""

from __future__ import annotations

import pytest

from xmpp_rest.api.commands import registry
from xmpp_rest.cli.words import WrongNumber, values

USERS = registry().find("registered_users", 0).definition


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["localhost"], {"host": "localhost", "after": "", "limit": 0}),
        (["localhost", "juliet"], {"host": "localhost", "after": "juliet", "limit": 0}),
        (["localhost", "juliet", "10"], {"host": "localhost", "after": "juliet", "limit": 10}),
    ],
)
def test_optional_words(words: list[str], expected: dict[str, object]) -> None:
    assert list(values(USERS, words).items()) == list(expected.items())


@pytest.mark.parametrize(("words", "text"), [([], "requires 1 more argument."), (["a", "b", "3", "d"], "requires 1 less argument.")])
def test_a_wrong_number_of_words(words: list[str], text: str) -> None:
    with pytest.raises(WrongNumber, match=text):
        values(USERS, words)
