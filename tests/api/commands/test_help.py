"""The help of a command agrees with its declaration."""

from __future__ import annotations

import json
import shlex

import pytest

from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.catalogue import ARGUMENTS
from xmpp_rest.api.commands.help import LISTS, TUPLES, example, help_text
from xmpp_rest.api.commands.registry import Command
from xmpp_rest.cli.helping import Help
from xmpp_rest.cli.words import values

OFFERS = [pytest.param(offer, id=f"{offer.definition.name}-{offer.definition.version}") for offer in registry().offers()]


def test_help_of_a_command_with_lists_and_tuples() -> None:
    definition = registry().find("get_roster", 3).definition
    assert help_text(definition).split("\n\n")[:5] == [
        "  Command Name: get_roster",
        "  Arguments: user::binary : The name of the account, before the @\n             host::binary : The hosted domain",
        "  Result: contacts::[ contact::{ jid::string, nick::string, subscription::string, pending::string, groups::[ group::string ] } ]",
        "  Example: xmpp-restctl get_roster juliet localhost",
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


@pytest.mark.parametrize("offer", OFFERS)
def test_every_argument_has_a_sentence_and_an_example_that_can_be_read(offer: Command) -> None:
    definition = offer.definition
    assert list(definition.about) == list(definition.arg_names)
    assert all(about.sentence and about.sentence == about.sentence.strip(" .") for about in definition.about.values())
    tool, name, *words = shlex.split(example(definition, versioned=False))
    assert (tool, name) == ("xmpp-restctl", definition.name)
    assert list(values(definition, words)) == list(definition.arg_names)
    text = help_text(definition)
    assert text.count(" : ") >= len(definition.args)
    arguments = text.partition("Result:")[0]
    assert (LISTS in text) == ("::[ " in arguments)
    assert (TUPLES in text) == ("::{ " in arguments)


def test_every_sentence_is_about_something() -> None:
    definitions = [offer.definition for offer in registry().offers()]
    known = {arg for d in definitions for arg in d.arg_names}
    known |= {f"{d.name}{at}.{arg}" for d in definitions for arg in d.arg_names for at in ("", f"@{d.version}")}
    assert set(json.loads(ARGUMENTS.read_text("utf-8"))) <= known


def test_notes_on_lists_and_tuples() -> None:
    text = Help(registry(), None).about("subscribe_room_many")
    assert "Example: xmpp-restctl subscribe_room_many juliet:localhost:Juliet,nurse:localhost:Nurse verona conference.localhost urn:" in text
    assert text.endswith(f"  Note: {LISTS}\n\n  Note: {TUPLES}\n")
    assert "Note: The" not in Help(registry(), None).about("registered_users")


def test_the_example_of_an_older_version_names_it() -> None:
    assert "Example: xmpp-restctl --version 0 kick_user juliet localhost\n" in Help(registry(), 0).about("kick_user")
    assert "Example: xmpp-restctl kick_user juliet localhost\n" in Help(registry(), 2).about("kick_user")
    assert "Example: xmpp-restctl register juliet localhost R0m30-forever\n" in Help(registry(), 0).about("register")
