"""The Python values of Erlang terms.

Integers and floats are themselves, a binary is `bytes`, a string in quotes `str`, lists and tuples are themselves, a map is a `dict`. An
atom is an `Atom`, a kind of `str`, so that data never makes anything: not even an interned name.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

Term = Any
"""int, float, bytes, str, Atom, list[Term], tuple[Term, ...] or dict[Term, Term]."""
MAX_DEPTH = 256  # nested lists, tuples and maps: two for each element of a stanza, of which a stanza nests at most 125
MAX_SIZE = 16 * 1024 * 1024  # bytes of one term, unpacked


class BadTerm(ValueError):
    """What was read is not an Erlang term, or one that is too large or too deep, or of a kind that no data has."""


class Atom(str):
    """The name of an atom."""

    __slots__ = ()


def map_of(pairs: Iterable[tuple[Term, Term]]) -> dict[Term, Term]:
    """The map of these keys and values. Raises BadTerm for a key that Python cannot look up, such as a list."""
    found: dict[Term, Term] = {}
    for key, value in pairs:
        if not isinstance(key, Hashable) or (isinstance(key, tuple) and not _hashable(key)):
            raise BadTerm("a key of a map is a list, or holds one")
        found[key] = value
    return found


def _hashable(key: tuple[Term, ...]) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def text_of(term: Term) -> str:
    """The text of a binary (UTF-8), a string, or an atom. Raises BadTerm for anything else."""
    if isinstance(term, bytes):
        try:
            return term.decode()
        except UnicodeDecodeError as e:
            raise BadTerm(f"a binary is not text in UTF-8: {e}") from e
    if isinstance(term, str):
        return str(term)
    if term == []:  # COMPAT Erlang: the empty string
        return ""
    raise BadTerm(f"text was expected, not {type(term).__name__}")
