"""Does the help of a command say what its declaration says?"""

from __future__ import annotations

from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.help import help_text


def test_help_of_a_command_with_lists_and_tuples() -> None:
    definition = registry().find("get_roster", 3).definition
    assert help_text(definition).split("\n\n")[:5] == [
        "  Command Name: get_roster",
        "  Arguments: user::binary\n             host::binary",
        "  Result: contacts::[ contact::{ jid::string, nick::string, subscription::string, pending::string, groups::[ group::string ] } ]",
        "  Example: xmpp-restctl get_roster USER HOST",
        "  Tags: roster",
    ]


def test_help_follows_the_version() -> None:
    old, new = (help_text(registry().find("add_rosteritem", version).definition) for version in (0, 1))
    assert "group::binary" in old
    assert "groups::[ group::binary ]" in new
    assert "Note: since API version 1" in new
    assert "Note:" not in old


def test_every_command_has_a_help() -> None:
    for offer in registry().offers():
        text = help_text(offer.definition)
        assert f"Result: {offer.definition.result.name}::" in text
        assert "Description: " in text
        assert max(map(len, text.splitlines())) < 240
