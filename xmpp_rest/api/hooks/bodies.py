"""Reads what a request to a hook brings: JSON, a form, or text, by its media type and by how it looks (hooks §5.2)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from xmpp_rest.http.request import read_body
from xmpp_rest.protocol.strict_json import BadJSON, read_json
from xmpp_rest.service.hooks.payload import PostedForm

MAX_DEPTH = 64
MAX_FIELDS = 1000  # of a form
JSON_TYPES = frozenset(("application/json", "text/json"))
FORM, MULTIPART, BYTES = "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream"
MARKUP = frozenset(("text/html", "text/xml"))
TAKEN = ("application/json", FORM, MULTIPART, "text/plain", BYTES)
"""The types that `Accept-Post` names."""
_NONE = object()
_CHARSETS = re.compile(r"utf-(8(-sig)?|(16|32)(-[lb]e)?)|ascii|iso8859-\d+|cp\d+|koi8-[rut]|euc_\w+|shift_jis\w*|gb\w+|big5\w*")
WRAPPERS = ("payload", "data")  # Slack, GitHub, Gitea; Uptime Kuma


class BadBody(ValueError):
    """A body that cannot be read; the sentence says why."""


class TooDeep(BadBody):
    """JSON that is nested beyond MAX_DEPTH."""


class UnknownType(ValueError):
    """A media type, or a content coding (`coded`), that hooks do not take."""

    def __init__(self, text: str, *, coded: bool = False) -> None:
        super().__init__(text)
        self.coded = coded


class TooLarge(ValueError):
    """A body beyond the limit."""


@dataclass(frozen=True, slots=True)
class HookBody:
    """What a body says: JSON, a form or text, and the names of the files that came with it."""

    value: Any
    files: tuple[str, ...] = ()


def received(request: Request, limit: int) -> bytes:
    """The body as it came. Raises TooLarge, UnknownType for one that is compressed, BadBody for a part of one."""
    if (request.content_length or 0) > limit:
        raise TooLarge(f"The body has more than {limit} bytes")
    require_plain(request.environ)
    try:
        return read_body(request, limit)
    except RequestEntityTooLarge as e:
        raise TooLarge(f"The body has more than {limit} bytes") from e
    except BadRequest as e:  # it broke off
        raise BadBody(str(e.description)) from e


def require_plain(environ: Mapping[str, Any]) -> None:
    """Raise UnknownType for a body that is compressed: signatures are over what was sent, and senders do not compress."""
    coding = str(environ.get("HTTP_CONTENT_ENCODING", "")).strip(" \t").lower()
    if coding not in ("", "identity"):
        raise UnknownType("Content-Encoding must be identity", coded=True)


def media_type(field: str) -> str:
    """The type of a Content-Type field that hooks take, in lower case, "" for none. Raises UnknownType."""
    kind = field.partition(";")[0].strip(" \t").lower()
    if kind in ("", FORM, MULTIPART, BYTES) or kind in JSON_TYPES or kind.endswith("+json"):
        return kind
    if kind.startswith("text/") and kind not in MARKUP and not kind.endswith("+xml"):
        return kind
    raise UnknownType(f"Content-Type must be one of {', '.join(TAKEN)}")


def read_value(body: bytes, field: str, *, only_text: bool = False) -> HookBody:
    """What the body is, by its Content-Type field. `only_text`: what may be text is text. Raises BadBody, UnknownType."""
    kind = media_type(field)
    if kind in JSON_TYPES or kind.endswith("+json"):
        return HookBody(_json(body))
    if kind == FORM:
        return HookBody(_form(body))
    if kind == MULTIPART:
        return _multipart(body, field)
    if not only_text and _begins_as(body, b"{["):
        value = _json_or(_NONE, body)
        if value is not _NONE:
            return HookBody(value)
    return HookBody(_text(body, parse_options_header(field)[1].get("charset", "")))


def _begins_as(body: bytes, characters: bytes) -> bool:
    """Whether the first character is one of these."""
    first = body.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    return bool(first) and first in characters


def _json_or(other: Any, body: bytes) -> Any:
    """The value of JSON, or `other` for what is none. Raises TooDeep."""
    try:
        return _json(body)
    except TooDeep:
        raise
    except BadBody:
        return other


def _json(body: bytes) -> Any:
    if not body.removeprefix(codecs.BOM_UTF8).strip():
        return None
    try:
        value = read_json(body, finite=False)
    except BadJSON as e:
        text = str(e)
        raise (TooDeep if "too deeply" in text else BadBody)(text[:1].upper() + text[1:]) from e
    require_shallow(value)
    return value


def require_shallow(value: Any) -> None:
    """Raise TooDeep for arrays and objects that are nested beyond MAX_DEPTH."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise TooDeep(f"The JSON is nested deeper than {MAX_DEPTH}")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _form(body: bytes) -> Any:
    """A form; or JSON, or text, that was only called one: `curl -d` says so of whatever it sends."""
    if _begins_as(body, b"{") and (value := _json_or(_NONE, body)) is not _NONE:
        return value
    if b"=" not in body:
        return _text(body, "")
    try:
        pairs = parse_qsl(body.decode("ascii", "surrogateescape"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        fields = [(_utf8(name), _utf8(value)) for name, value in pairs]
    except UnicodeDecodeError as e:
        raise BadBody("The form is not UTF-8") from e
    except ValueError as e:
        raise BadBody(f"A form has at most {MAX_FIELDS} fields") from e
    return unwrapped(fields)


def _utf8(text: str) -> str:
    """The text with the bytes that were not escaped as UTF-8. Raises UnicodeDecodeError."""
    return text.encode("utf-8", "surrogateescape").decode()


def _multipart(body: bytes, field: str) -> HookBody:
    boundary = parse_options_header(field)[1].get("boundary", "")
    if not boundary or not boundary.isascii():
        raise BadBody("Content-Type of multipart/form-data has no boundary")
    if not body.strip():
        return HookBody(None)
    parser = MultiPartParser(_discarded, max_form_memory_size=len(body) + 1, max_form_parts=MAX_FIELDS)
    try:
        fields, files = parser.parse(BytesIO(body), boundary.encode("ascii"), len(body))
    except (ValueError, HTTPException) as e:
        raise BadBody("The parts of the body cannot be read") from e
    names = tuple(file.filename or name for name, file in files.items(multi=True))
    return HookBody(unwrapped(list(fields.items(multi=True))), names)


def unwrapped(fields: list[tuple[str, str]]) -> Any:
    """The fields of a form; or the JSON object that is its only one, of the name `payload` or `data`. Raises TooDeep."""
    if len(fields) == 1 and fields[0][0] in WRAPPERS:
        value = _json_or(None, fields[0][1].encode("utf-8", "surrogatepass"))
        if isinstance(value, dict):
            return value
    form = PostedForm()
    for name, value in fields:
        form.setdefault(name, value)
    return form


def _text(body: bytes, charset: str) -> str:
    """The text of a body, in UTF-8 or in its charset."""
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode() if charset.lower() in ("", "utf-8", "utf8") else _in_charset(body, charset)
    except (UnicodeError, LookupError) as e:
        raise BadBody(f"The text is not {charset[:40] or 'UTF-8'}") from e
    return text


def _in_charset(body: bytes, charset: str) -> str:
    """The text in one of the usual charsets: of Python's others some take long, or run escapes. Raises LookupError, UnicodeError."""
    name = codecs.lookup(charset).name
    if not _CHARSETS.fullmatch(name):
        raise LookupError(charset)
    return body.decode(name)


class _Discarded(BytesIO):
    """A file that is not read."""

    def write(self, data: Any, /) -> int:
        return len(data)


def _discarded(*_: object, **__: object) -> BytesIO:
    return _Discarded()
