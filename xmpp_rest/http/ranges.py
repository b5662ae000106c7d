"""Which part of the representation is asked for? (steps R1 to R5, RFC 9110 §14)"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence

from werkzeug.datastructures import Headers

from .body import FilePart, Payload, Segments, close
from .conditional import if_range
from .exchange import Exchange
from .fields import TOKEN

#: A byte range as it was asked for: first and last position, or minus the length of a suffix.
ByteRange = tuple[int, int | None] | int
#: The unit in lower case, and the ranges; those of other units than bytes stay as they were written.
Ranges = tuple[str, list[ByteRange] | str]

# More digits than any size has; int() refuses thousands of them.
_DIGITS = "[0-9]{1,100}"
_BYTE_RANGE = re.compile(f"({_DIGITS})-({_DIGITS})?|-({_DIGITS})")


def ranged(x: Exchange) -> int:
    """R1 to R5: 206 or 416 with everything set, or 0 with the full body set."""
    if not if_range(x):
        x.provide()
        return 0
    ranges = parse_range(x.environ["HTTP_RANGE"])
    if ranges is None:
        return unsatisfiable(x)
    unit = ranges[0]
    if unit not in x.units:
        x.provide()
        return 0
    x.resource.range = ranges
    return range_satisfiable(x, unit) or satisfy(x, unit)


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


def unsatisfiable(x: Exchange, content_range: str | None = None) -> int:
    """416, RFC 9110 §15.5.17; an error does not expire as the representation does."""
    if content_range is not None:
        x.draft.set_field("Content-Range", content_range)
    x.draft.drop_fields("Expires")
    return 416


def range_satisfiable(x: Exchange, unit: str) -> int:
    """R4."""
    answer = x.ask("range_satisfiable", True)
    if answer is True:
        return 0
    if answer is False or answer is None:
        return unsatisfiable(x)
    if isinstance(answer, int):
        return unsatisfiable(x, f"{unit} */{answer}")
    if isinstance(answer, str):
        return unsatisfiable(x, f"{unit} {answer}")
    raise TypeError(f"range_satisfiable must return a bool, a size or the text of Content-Range, not {answer!r}")


def satisfy(x: Exchange, unit: str) -> int:
    """R5, RFC 9110 §15.3.7."""
    callback = x.units[unit]
    if unit == "bytes" and callback == "auto":
        return cut(x)
    parts = x.call(callback)
    if not isinstance(parts, (list, tuple)) or not parts:
        raise ValueError(f"a range callback must return a non-empty list of (where, body), not {parts!r}")
    return send(x, [(_content_range(unit, where), x.encode_part(value)) for where, value in parts])


def _content_range(unit: str, where: object) -> str:
    if isinstance(where, str):
        return f"{unit} {where}"
    if not isinstance(where, tuple) or len(where) != 3:
        raise ValueError(f"a range callback must give (first, last, total) or the text of Content-Range, not {where!r}")
    first, last, total = where
    return f"{unit} {first}-{last}/{'*' if total is None else total}"


def cut(x: Exchange) -> int:
    """Byte ranges of what the provide callback returns; 0 when it is sent in full."""
    x.provide()
    whole = x.draft.take_body()
    total = whole.length if isinstance(whole, FilePart) else len(whole) if isinstance(whole, bytes) else None
    if not total:
        x.draft.put_body(whole)
        return 0
    spans = satisfiable(x.resource.range, total)
    if not spans:
        close(whole)
        return unsatisfiable(x, f"bytes */{total}")
    if len(spans) > 1 and sum(last - first + 1 for first, last in spans) > total:
        x.draft.put_body(whole)  # RFC 9110 §14.2: overlapping ranges are how such requests are abused
        return 0
    return send(x, [(f"bytes {first}-{last}/{total}", _slice(whole, first, last)) for first, last in spans])


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


def _slice(whole: object, first: int, last: int) -> Payload:
    if isinstance(whole, FilePart):
        return whole.cut(first, last)
    assert isinstance(whole, bytes)
    return whole[first : last + 1]


def send(x: Exchange, parts: Sequence[tuple[str, Payload]]) -> int:
    """206 with one part, or with several as multipart/byteranges (RFC 9110 §14.6)."""
    if len(parts) == 1:
        content_range, payload = parts[0]
        x.draft.set_field("Content-Range", content_range)
        x.draft.put_body(payload)
        return 206
    boundary = secrets.token_hex(16)
    label = x.draft.field("Content-Type")
    x.draft.drop_fields("Content-Range")
    x.draft.set_field("Content-Type", f"multipart/byteranges; boundary={boundary}")
    x.draft.put_body(Segments(list(_multipart(boundary, label, parts))))
    return 206


def _multipart(boundary: str, label: str | None, parts: Iterable[tuple[str, Payload]]) -> Iterator[Payload]:
    delimiter = f"--{boundary}\r\n"
    for content_range, payload in parts:
        # Headers refuses line breaks, and writes the blank line that ends the fields.
        fields = Headers([("Content-Type", label)] if label else None)
        fields["Content-Range"] = content_range
        yield f"{delimiter}{fields}".encode()
        yield payload
        delimiter = f"\r\n--{boundary}\r\n"
    yield f"\r\n--{boundary}--\r\n".encode("ascii")
