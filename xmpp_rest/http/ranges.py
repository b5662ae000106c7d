"""Range requests: sends the parts of the representation that are asked for (steps R1 to R5, RFC 9110 §14)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence

from werkzeug.datastructures import Headers

from .body import FilePart, Payload, Segments, close
from .conditional import if_range
from .range_field import parse_range, satisfiable
from .state import RequestState


def ranged(state: RequestState) -> int:
    """R1 to R5: 206 or 416 with everything set, or 0 with the full body set."""
    if not if_range(state):
        state.provide()
        return 0
    ranges = parse_range(state.environ["HTTP_RANGE"])
    if ranges is None:
        return unsatisfiable(state)
    unit = ranges[0]
    if unit not in state.units:
        state.provide()
        return 0
    state.resource.range = ranges
    return range_satisfiable(state, unit) or satisfy(state, unit)


def unsatisfiable(state: RequestState, content_range: str | None = None) -> int:
    """416, RFC 9110 §15.5.17; an error does not expire as the representation does."""
    if content_range is not None:
        state.builder.set_field("Content-Range", content_range)
    state.builder.drop_fields("Expires")
    return 416


def range_satisfiable(state: RequestState, unit: str) -> int:
    """R4."""
    answer = state.ask("range_satisfiable", True)
    if answer is True:
        return 0
    if answer is False or answer is None:
        return unsatisfiable(state)
    if isinstance(answer, int):
        return unsatisfiable(state, f"{unit} */{answer}")
    if isinstance(answer, str):
        return unsatisfiable(state, f"{unit} {answer}")
    raise TypeError(f"range_satisfiable must return a bool, a size or the text of Content-Range, not {answer!r}")


def satisfy(state: RequestState, unit: str) -> int:
    """R5, RFC 9110 §15.3.7."""
    callback = state.units[unit]
    if unit == "bytes" and callback == "auto":
        return cut(state)
    parts = state.call(callback)
    if not isinstance(parts, (list, tuple)) or not parts:
        raise ValueError(f"a range callback must return a non-empty list of (where, body), not {parts!r}")
    return send(state, [(_content_range(unit, where), state.encode_part(value)) for where, value in parts])


def _content_range(unit: str, where: object) -> str:
    if isinstance(where, str):
        return f"{unit} {where}"
    if not isinstance(where, tuple) or len(where) != 3:
        raise ValueError(f"a range callback must give (first, last, total) or the text of Content-Range, not {where!r}")
    first, last, total = where
    return f"{unit} {first}-{last}/{'*' if total is None else total}"


def cut(state: RequestState) -> int:
    """Byte ranges of what the provide callback returns; 0 when it is sent in full."""
    state.provide()
    whole = state.builder.take_body()
    total = whole.length if isinstance(whole, FilePart) else len(whole) if isinstance(whole, bytes) else None
    if not total:
        state.builder.put_body(whole)
        return 0
    spans = satisfiable(state.resource.range, total)
    if not spans:
        close(whole)
        return unsatisfiable(state, f"bytes */{total}")
    if len(spans) > 1 and sum(last - first + 1 for first, last in spans) > total:
        state.builder.put_body(whole)  # RFC 9110 §14.2: overlapping ranges are how such requests are abused
        return 0
    return send(state, [(f"bytes {first}-{last}/{total}", _slice(whole, first, last)) for first, last in spans])


def _slice(whole: object, first: int, last: int) -> Payload:
    if isinstance(whole, FilePart):
        return whole.cut(first, last)
    assert isinstance(whole, bytes)
    return whole[first : last + 1]


def send(state: RequestState, parts: Sequence[tuple[str, Payload]]) -> int:
    """206 with one part, or with several as multipart/byteranges (RFC 9110 §14.6)."""
    if len(parts) == 1:
        content_range, payload = parts[0]
        state.builder.set_field("Content-Range", content_range)
        state.builder.put_body(payload)
        return 206
    boundary = secrets.token_hex(16)
    label = state.builder.field("Content-Type")
    state.builder.drop_fields("Content-Range")
    state.builder.set_field("Content-Type", f"multipart/byteranges; boundary={boundary}")
    state.builder.put_body(Segments(list(_multipart(boundary, label, parts))))
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
