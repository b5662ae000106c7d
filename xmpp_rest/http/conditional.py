"""Conditional requests: evaluates the preconditions (steps C1 to C4, RFC 9110 §13).

Werkzeug's ``is_resource_modified`` does not help here: it fails ``If-Match: *`` on a resource that exists, knows no
``If-Unmodified-Since``, and looks at GET and HEAD only.
"""

from __future__ import annotations

import re
from datetime import datetime

from werkzeug.http import http_date

from .callbacks import Step
from .dates import as_utc, now, parse_http_date, write_http_date
from .methods import READS
from .state import RequestState

OF_GZIP = '-gzip"'
"""How the entity tag of an answer ends that was compressed on its way: here, or by a proxy such as Apache."""
_OPAQUE = '"[!#-~\x80-\U0010ffff]*"'
_TAG = re.compile(f"(?:W/)?{_OPAQUE}")
_STRONG = re.compile(_OPAQUE)
_BARE = re.compile("[!#-~\x80-\U0010ffff]*")
_SEPARATORS = re.compile("[ \t,]*")
_BLANKS = re.compile("[ \t]*")

_FIELDS = ("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")


def preconditions(state: RequestState) -> int:
    """C1 to C4 in the order of RFC 9110 §13.2.2: the status that ends the request, or 0 when all hold."""
    if state.environ.keys().isdisjoint(_FIELDS):
        return 0
    return if_match(state) or if_none_match(state)


def if_match(state: RequestState) -> int:
    """C1, RFC 9110 §13.1.1; If-Unmodified-Since counts without it only."""
    field = state.environ.get("HTTP_IF_MATCH")
    if field is None:
        return if_unmodified_since(state)
    wanted = parse_tags(field)
    if wanted is None:
        return 400
    if "*" in wanted:
        return 0
    tag = current_tag(state)
    return 0 if tag is not None and _STRONG.fullmatch(tag) and tag in wanted else 412


def if_unmodified_since(state: RequestState) -> int:
    """C2, RFC 9110 §13.1.4."""
    date = parse_http_date(state.environ.get("HTTP_IF_UNMODIFIED_SINCE", ""))
    if date is None:
        return 0
    modified = modification_date(state)
    return 412 if modified is not None and modified > date else 0


def if_none_match(state: RequestState) -> int:
    """C3, RFC 9110 §13.1.2; If-Modified-Since counts without it only."""
    field = state.environ.get("HTTP_IF_NONE_MATCH")
    if field is None:
        return if_modified_since(state)
    wanted = parse_tags(field)
    if wanted is None:
        return 400
    if not _weakly_matches(state, wanted):
        return 0
    return not_modified(state) if state.method in READS else 412


def _weakly_matches(state: RequestState, wanted: frozenset[str]) -> bool:
    if "*" in wanted:
        return True
    tag = current_tag(state)
    return tag is not None and tag.removeprefix("W/") in {each.removeprefix("W/") for each in wanted}


def if_modified_since(state: RequestState) -> int:
    """C4, RFC 9110 §13.1.3."""
    if state.method not in READS:
        return 0
    date = parse_http_date(state.environ.get("HTTP_IF_MODIFIED_SINCE", ""))
    if date is None or date > now():
        return 0
    modified = modification_date(state)
    return not_modified(state) if modified is not None and modified <= date else 0


def not_modified(state: RequestState) -> int:
    """304 with the fields that RFC 9110 §15.4.5 asks for."""
    generate_etag(state)
    expires(state)
    return 304


def if_range(state: RequestState) -> bool:
    """R1, RFC 9110 §13.1.5: whether the range still applies. A date is never known to be a strong validator."""
    field = state.environ.get("HTTP_IF_RANGE")
    if field is None:
        return True
    wanted = field.strip(" \t")
    return _STRONG.fullmatch(wanted) is not None and wanted == current_tag(state)


def parse_tags(field: str) -> frozenset[str] | None:
    """The entity tags of a list as they are written, or {"*"}; None when malformed. One that ends with OF_GZIP is also there without it."""
    if field.strip(" \t") == "*":
        return frozenset("*")
    tags = []
    position = _end(_SEPARATORS, field, 0)
    while position < len(field):
        match = _TAG.match(field, position)
        if match is None:
            return None
        tags.append(match[0])
        position = _end(_BLANKS, field, match.end())
        if position < len(field) and field[position] != ",":
            return None
        position = _end(_SEPARATORS, field, position)
    return frozenset((*tags, *(f'{tag.removesuffix(OF_GZIP)}"' for tag in tags if tag.endswith(OF_GZIP)))) or None


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()


# -- what the resource says of itself, each asked once


def current_tag(state: RequestState) -> str | None:
    """The entity tag as it is sent (RFC 9110 §8.8.3). Raises TypeError or ValueError when it is none."""
    tag: str | None = state.ask_once("generate_etag", _entity_tag)
    return tag


def _entity_tag(answer: object) -> str | None:
    match answer:
        case None:
            return None
        case str() if _TAG.fullmatch(answer):
            tag = answer
        case ("strong", str(bare)) if _BARE.fullmatch(bare):
            tag = f'"{bare}"'
        case ("weak", str(bare)) if _BARE.fullmatch(bare):
            tag = f'W/"{bare}"'
        case _:
            raise ValueError(
                f"generate_etag returned {answer!r}; give None, a quoted entity tag such as '\"1\"' or 'W/\"1\"',"
                ' or ("strong", "1") or ("weak", "1"), without blanks and quotes inside'
            )
    # WSGI carries bytes as Latin-1 (PEP 3333): a tag past U+00FF goes as its UTF-8 bytes, and comes back so.
    return tag if max(tag) <= "\xff" else tag.encode().decode("latin-1")


def modification_date(state: RequestState) -> datetime | None:
    """When the resource was last modified; a date in the future is now (RFC 9110 §8.8.2.1)."""
    modified: datetime | None = state.ask_once("last_modified", _clamped)
    return modified


def _clamped(answer: object) -> datetime | None:
    return None if answer is None else min(as_utc(answer, "last_modified"), now().replace(microsecond=0))


def generate_etag(state: RequestState) -> int:
    """G1."""
    tag = current_tag(state)
    if tag is not None:
        state.builder.set_field("ETag", tag)
    return 0


def last_modified(state: RequestState) -> int:
    """G2."""
    modified = modification_date(state)
    if modified is not None:
        state.builder.set_field("Last-Modified", http_date(modified))
    return 0


def expires(state: RequestState) -> int:
    """G3; a str goes as it is: "0" means already expired (RFC 9111 §5.3)."""
    answer = state.ask("expires", None)
    if answer is not None:
        state.builder.set_field("Expires", answer if isinstance(answer, str) else write_http_date(answer, "expires"))
    return 0


STEPS = (Step(generate_etag), Step(last_modified), Step(expires))
