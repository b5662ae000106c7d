"""If-Match and If-None-Match of a write, evaluated where no other write can come between (RFC 9110 §13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers import Value
from xmpp_rest.api.data.formats import entity_tags
from xmpp_rest.http.conditional import parse_tags

# In the order of RFC 9110 §13.2.2. There are no dates of modification here, so the other two fields never fail.
CONDITIONS = {"If-Match": "HTTP_IF_MATCH", "If-None-Match": "HTTP_IF_NONE_MATCH"}
"""Header field → its key in a WSGI environ."""
Tags = frozenset[str]


class MalformedTags(ValueError):
    """The field of this name is not a list of entity tags."""


def conditions_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """The two fields of a request, those that were sent."""
    return {name: environ[key] for name, key in CONDITIONS.items() if key in environ}


def failing(conditions: dict[str, str]) -> Callable[[Value | None], str | None]:
    """Says which of the conditions what is in a store fails, None if none does. Raises MalformedTags."""
    wanted = {name: _parse(name, value) for name, value in conditions.items()}

    def name_of(content: Value | None) -> str | None:
        tags = entity_tags(content)
        return next((name for name in wanted if not _HOLDS[name](wanted[name], tags)), None)

    return name_of


def _parse(name: str, value: str) -> Tags:
    tags = parse_tags(value)
    if tags is None:
        raise MalformedTags(name)
    return tags


def _matches(wanted: Tags, tags: Tags) -> bool:
    """RFC 9110 §13.1.1, strong comparison: no tag here is weak."""
    return bool(tags) if "*" in wanted else not wanted.isdisjoint(tags)


def _none_matches(wanted: Tags, tags: Tags) -> bool:
    """RFC 9110 §13.1.2, weak comparison."""
    return not tags if "*" in wanted else tags.isdisjoint(tag.removeprefix("W/") for tag in wanted)


_HOLDS: dict[str, Callable[[Tags, Tags], bool]] = {"If-Match": _matches, "If-None-Match": _none_matches}
