"""The version of a command for calls that name none, found by the argument names.

Of our own: the peer runs the newest, and refuses what was written for an older one.
"""

from __future__ import annotations

from collections.abc import Iterable

from xmpp_rest.api.commands.arguments import Given
from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.registry import Command
from xmpp_rest.api.commands.types import ListOf


def fits(definition: Definition, given: Given) -> bool:
    """Whether these are the names of its arguments; a list, or an optional one, may be left away."""
    names = {definition.renamed.get(name, name) for name, _ in given}
    wanted = {field.name for field in definition.args}
    left = [field for field in definition.args if field.name not in names and field.name not in definition.optional]
    return names <= wanted and all(isinstance(field.type, ListOf) for field in left)


def best(offers: Iterable[Command], given: Given) -> Command | None:
    """The first of `offers` whose argument names fit; rather one that takes lists where lists are given, and text where text is."""
    fitting = [offer for offer in offers if fits(offer.definition, given)]
    return next((offer for offer in fitting if _takes_lists_alike(offer.definition, given)), fitting[0] if fitting else None)


def _takes_lists_alike(definition: Definition, given: Given) -> bool:
    lists = {field.name for field in definition.args if isinstance(field.type, ListOf)}
    return all((definition.renamed.get(name, name) in lists) is isinstance(value, list | dict) for name, value in given)
