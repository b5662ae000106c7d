"""Reads the Range field, and finds which of its byte ranges a body has (RFC 9110 §14.1, §14.2)."""

from __future__ import annotations

import re

from .fields import TOKEN

#: A byte range as it was asked for: first and last position, or minus the length of a suffix.
ByteRange = tuple[int, int | None] | int
#: The unit in lower case, and the ranges; those of other units than bytes stay as they were written.
Ranges = tuple[str, list[ByteRange] | str]

# More digits than any size has; int() refuses thousands of them.
_DIGITS = "[0-9]{1,100}"
_BYTE_RANGE = re.compile(f"({_DIGITS})-({_DIGITS})?|-({_DIGITS})")


def parse_range(field: str) -> Ranges | None:
    """A Range field (RFC 9110 §14.2), or None when it is malformed."""
    unit, equals, members = field.strip(" \t").partition("=")
    if not equals or TOKEN.fullmatch(unit) is None:
        return None
    if unit.lower() != "bytes":
        return unit.lower(), members
    parsed = [_parse_byte_range(member) for text in members.split(",") if (member := text.strip(" \t"))]
    whole = [each for each in parsed if each is not None]
    return ("bytes", whole) if whole and len(whole) == len(parsed) else None


def _parse_byte_range(member: str) -> ByteRange | None:
    match = _BYTE_RANGE.fullmatch(member)
    if match is None:
        return None
    if match[3] is not None:
        return -int(match[3])
    first = int(match[1])
    if match[2] is None:
        return first, None
    last = int(match[2])
    return (first, last) if first <= last else None


def satisfiable(ranges: Ranges | None, total: int) -> list[tuple[int, int]]:
    """First and last position of each byte range that a body of ``total`` bytes has (RFC 9110 §14.1.2)."""
    spans = []
    for each in ranges[1] if ranges else ():
        if isinstance(each, tuple):
            first, last = each[0], total - 1 if each[1] is None else min(each[1], total - 1)
        else:
            first, last = max(total + int(each), 0), total - 1
        if first <= last:
            spans.append((first, last))
    return spans
