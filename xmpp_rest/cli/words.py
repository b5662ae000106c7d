"""Arguments of commands from the words of a command line (commands-api §14)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.errors import CommandFailure, rejected
from xmpp_rest.api.commands.types import ListOf, ScalarType, TupleOf, Type

_DECIMAL = re.compile(r"[+-]?[0-9]{1,4000}")


class WrongNumber(Exception):
    """Too few words, or too many; the sentence says how many."""


def values(definition: Definition, words: Sequence[str]) -> dict[str, Any]:
    """The arguments of the definition, converted. Raises WrongNumber, CommandFailure."""
    wanted = min(max(len(words), len(definition.args) - len(definition.optional)), len(definition.args))
    if missing := wanted - len(words):
        number, kind = abs(missing), "more" if missing > 0 else "less"
        raise WrongNumber(f"the command '{definition.name}' requires {number} {kind} argument{'s' if number > 1 else ''}.")
    given = {arg.name: convert(word, arg.type) for arg, word in zip(definition.args, words, strict=False)}
    return given | {name: value for name, value in definition.optional.items() if name not in given}


def convert(word: str, to: Type) -> Any:
    """One word as the type `to`: `a,b` is a list, `a:b` a tuple. Raises CommandFailure."""
    match to:
        case ListOf(element=element):
            return [convert(part.strip(), element.type) for part in word.split(",")] if word.strip() else []
        case TupleOf(fields=fields):
            parts = word.split(":")
            if len(parts) != len(fields):
                raise _unfit(word, to)
            return tuple(convert(part.strip(), field.type) for part, field in zip(parts, fields, strict=True))
        case ScalarType(name="integer"):
            if not _DECIMAL.fullmatch(word):
                raise _unfit(word, to)
            return int(word)
    return word


def _unfit(word: str, to: Type) -> CommandFailure:
    return rejected(f"'{word[:200]}' is not in format {to}")
