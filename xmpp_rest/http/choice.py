"""Chooses the media type, language or charset that the client prefers (RFC 9110 §12.4, §12.5).

One rule for media types, languages and charsets: the most specific member of the field that matches an offer gives
its weight; weight 0 is out; then the highest weight, the more specific member, the offer listed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from .fields import (
    CACHE_SIZE,
    CACHEABLE,
    MediaRange,
    Params,
    Weighted,
    parse_accept,
    parse_charsets,
    parse_languages,
)
from .media import MediaType, comparable, read_types


class Offer(NamedTuple):
    """One variant of what a resource provides, weighed."""

    weight: int
    specificity: int
    params: Params = ()
    charset: str | None = None
    """The charset that the client named inside Accept, lower case."""


class Selection(NamedTuple):
    """The chosen entry of ``content_types_provided``, and its parameters without a charset that it settles."""

    position: int
    entry: MediaType
    params: Params
    charset: str | None = None
    from_client: bool = False
    """Whether the client named the charset inside Accept; else the entry did."""


Charsets = tuple[str, ...]

#: How specifically a member of a field, the first, matches an offer, the second; None when it does not.
Specificity = Callable[[str, str], int | None]


def choose_type(frozen: tuple[object, ...], accept: str, charsets: Charsets | None) -> Selection | None:
    """The entry that an Accept field selects; None when none is acceptable.

    ``charsets`` is what the resource provides, for a charset named inside Accept; None when it provides no list.
    Raises Malformed for the field, another ValueError for an entry.
    """
    if len(accept) > CACHEABLE:
        return _choose_type(frozen, accept, charsets)
    return _remembered_type(frozen, accept, charsets)


def choose_language(tags: tuple[str, ...], field: str) -> str | None:
    """The tag that an Accept-Language field selects; None when none is acceptable. Raises Malformed."""
    return (_choose_language if len(field) > CACHEABLE else _remembered_language)(tags, field)


def choose_charset(names: Charsets, field: str) -> str | None:
    """The charset that an Accept-Charset field selects; None when none is acceptable. Raises Malformed."""
    return (_choose_charset if len(field) > CACHEABLE else _remembered_charset)(names, field)


def needs_charsets(frozen: tuple[object, ...], accept: str) -> bool:
    """Whether a range that names a charset could match an entry that allows any parameters. Raises Malformed."""
    entries = [entry for entry in read_types(frozen) if entry.params == "*" and entry.type == "text"]
    ranges = [member for member in parse_accept(accept) if _named_charset(member) is not None]
    return any(_covers(member, entry) for member in ranges for entry in entries)


def _choose_type(frozen: tuple[object, ...], accept: str, charsets: Charsets | None) -> Selection | None:
    entries = read_types(frozen)
    ranges = parse_accept(accept)
    if not ranges:
        return _selection(0, entries[0], Offer(0, 0, entries[0].own_params), charsets)
    offers = [(offer, index) for index, entry in enumerate(entries) for offer in _offers(entry, ranges, charsets) if offer.weight > 0]
    if not offers:
        return None
    # max() keeps the first of equals, which is the one the resource lists first.
    offer, index = max(offers, key=lambda weighed: weighed[0][:2])
    return _selection(index, entries[index], offer, charsets)


def _offers(entry: MediaType, ranges: Iterable[MediaRange], charsets: Charsets | None) -> Iterator[Offer]:
    matching = [member for member in ranges if _covers(member, entry)]
    if entry.params == "*":
        yield from _variants(entry, matching, charsets)
        return
    own = comparable(entry.params)
    weighed = [(_specificity(member), member.weight) for member in matching if own.issuperset(member.params)]
    if weighed:
        specificity, weight = max(weighed)
        yield Offer(weight, specificity, entry.params)


def _variants(entry: MediaType, ranges: Iterable[MediaRange], charsets: Charsets | None) -> Iterator[Offer]:
    """One offer for each list of parameters that the client names, in an order the client has no part in."""
    variants: dict[frozenset[tuple[str, str]], tuple[int, int, MediaRange]] = {}
    for member in ranges:
        charset = _named_charset(member) if entry.type == "text" else None
        if charset is not None and charsets is not None and charset not in _lower(charsets):
            continue
        found = (_specificity(member), member.weight, member)
        key = frozenset(member.params)
        if key not in variants or found[:2] > variants[key][:2]:
            variants[key] = found
    for _, (specificity, weight, member) in sorted(variants.items(), key=lambda item: sorted(item[0])):
        yield Offer(weight, specificity, member.params, _named_charset(member) if entry.type == "text" else None)


def _selection(position: int, entry: MediaType, offer: Offer, charsets: Charsets | None) -> Selection:
    """The charset is taken out of the parameters where it settles the charset of a text."""
    named = next((value for name, value in entry.own_params if name == "charset"), None)
    if entry.type == "text" and named is not None:
        return Selection(position, entry, _without_charset(offer.params), named)
    if offer.charset is not None and charsets is not None:
        spelled = charsets[_lower(charsets).index(offer.charset)]
        return Selection(position, entry, _without_charset(offer.params), spelled, from_client=True)
    return Selection(position, entry, offer.params)


def _covers(member: MediaRange, entry: MediaType) -> bool:
    if member.type == "*":
        return member.subtype == "*"
    return member.type == entry.type and member.subtype in ("*", entry.subtype)


def _specificity(member: MediaRange) -> int:
    if member.type == "*":
        return 0
    return 1 if member.subtype == "*" else 2 + len(member.params)


def _named_charset(member: MediaRange) -> str | None:
    """The charset of a range that is literally of type text."""
    if member.type != "text":
        return None
    return next((value for name, value in member.params if name == "charset"), None)


def _without_charset(params: Params) -> Params:
    return tuple(pair for pair in params if pair[0] != "charset")


def _lower(names: Charsets) -> list[str]:
    return [name.lower() for name in names]


def _choose_language(tags: tuple[str, ...], field: str) -> str | None:
    """Basic filtering by prefix (RFC 4647 §3.3.1)."""

    def specificity(language_range: str, tag: str) -> int | None:
        if language_range == "*":
            return 0
        matches = tag == language_range or tag.startswith(language_range + "-")
        return language_range.count("-") + 1 if matches else None

    return _choose(tags, parse_languages(field), specificity)


def _choose_charset(names: Charsets, field: str) -> str | None:
    def specificity(charset: str, name: str) -> int | None:
        return 0 if charset == "*" else 1 if charset == name else None

    return _choose(names, parse_charsets(field), specificity)


def _choose(offers: tuple[str, ...], members: tuple[Weighted, ...], specificity: Specificity) -> str | None:
    if not members:
        return offers[0]
    chosen, best = None, (0, -1)
    for offer in offers:
        name = offer.lower()
        matches = [(how, member.weight) for member in members if (how := specificity(member.name, name)) is not None]
        how, weight = max(matches, default=(-1, 0))
        if weight > 0 and (weight, how) > best:
            chosen, best = offer, (weight, how)
    return chosen


_remembered_type = lru_cache(maxsize=CACHE_SIZE)(_choose_type)
_remembered_language = lru_cache(maxsize=CACHE_SIZE)(_choose_language)
_remembered_charset = lru_cache(maxsize=CACHE_SIZE)(_choose_charset)
