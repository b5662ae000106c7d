"""Pages of history: the part of an archive that a query string selects (client-api §1.5, §6)."""

from __future__ import annotations

import re
from typing import NamedTuple

from flask import Request

from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.values import integer
from xmpp_rest.api.detail import did_you_mean

DEFAULT_LIMIT = 50
LATEST = 2**31 * 1000  # milliseconds; no archive holds anything later
_KNOWN = {"limit", "before"}
_XML = re.compile(r"(^|,)\s*xml\s*($|[,;])", re.IGNORECASE)


class HistoryPage(NamedTuple):
    """How many items at most, and how old (Unix time in seconds, inclusive); None: however young."""

    limit: int
    end: float | None


def bounds(request: Request, *, most: int | None = None, strict: bool = True) -> HistoryPage:
    """The page that the query string asks for. Raises Refusal: 400.

    `most`: a larger limit is refused; `strict`: so is a parameter that is neither limit nor before.
    """
    if strict and not _KNOWN.issuperset(request.args):
        unknown = next(name for name in request.args if name not in _KNOWN)
        hint = did_you_mean(unknown, _KNOWN) or "; write limit and before"
        raise Refusal(400, "Invalid query string", detail=f"There is no parameter {unknown[:100]!r} here{hint}")
    given = {name: request.args.getlist(name)[-1] for name in _KNOWN if name in request.args}
    limits = "limit: write a whole number from 0" + (" on" if most is None else f" to {most}")
    limit = integer(given["limit"], "Invalid limit", limits) if "limit" in given else DEFAULT_LIMIT
    if limit < 0 or (most is not None and limit > most):
        raise Refusal(400, "Invalid limit", detail=limits)
    if "before" not in given:
        return HistoryPage(limit, None)
    before = integer(given["before"], "Invalid value of 'before'", "before: write a time as milliseconds since 1970")
    if before <= 0:
        return HistoryPage(0, None)
    return HistoryPage(limit, just_before(before) if before < LATEST else None)


def just_before(milliseconds: int) -> float:
    """The last moment, in seconds, of which `values.milliseconds` makes less: items are stamped with whole microseconds."""
    return (milliseconds * 1000 - 0.5) / 1_000_000


def wants_xml(request: Request) -> bool:
    """Whether `Prefer: xml` (RFC 7240) asks for the stanza beside its JSON."""
    return bool(_XML.search(request.environ.get("HTTP_PREFER", "")))
