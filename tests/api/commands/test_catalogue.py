"""Do the functions fit their declarations, and does the catalogue hold what the peer has?"""

from __future__ import annotations

import inspect

import pytest

from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.catalogue import load_catalogue
from xmpp_rest.api.commands.errors import Failure
from xmpp_rest.api.commands.registry import Bound, Offer, Registry

OFFERS = registry().offers()


@pytest.mark.parametrize("offer", OFFERS, ids=lambda o: f"{o.definition.name}/v{o.definition.version}")
def test_a_function_takes_the_arguments_of_its_declaration(offer: Offer) -> None:
    names = list(inspect.signature(inspect.unwrap(offer.run)).parameters)[1:]
    assert [n.rstrip("_") for n in names] == list(offer.definition.arg_names)


def test_the_catalogue_has_every_definition() -> None:
    definitions = load_catalogue()
    assert len(definitions) == 259
    assert len({(d.name, d.version) for d in definitions}) == 259
    assert {d.version for d in definitions} == {0, 1, 2, 3}


def test_no_internal_command_is_offered() -> None:
    assert not [o.definition.name for o in OFFERS if o.definition.internal]


@pytest.mark.parametrize("bound", [Bound("nothing", 0, print), Bound("register", 1, print)])
def test_a_function_without_declaration_is_refused(bound: Bound) -> None:
    with pytest.raises(ValueError, match=bound.name):
        Registry(load_catalogue(), [bound])


def test_two_functions_for_one_declaration_are_refused() -> None:
    with pytest.raises(ValueError, match="register"):
        Registry(load_catalogue(), [Bound("register", 0, print), Bound("register", 0, print)])


@pytest.mark.parametrize(("version", "found"), [(0, 0), (1, 1), (2, 1), (3, 1), (99, 1)])
def test_the_highest_definition_that_is_not_above_counts(version: int, found: int) -> None:
    assert registry().find("add_rosteritem", version).definition.version == found


def test_below_every_definition() -> None:
    with pytest.raises(Failure) as e:
        registry().find("unban_account", 1)
    assert e.value.body == "unknown_command"
