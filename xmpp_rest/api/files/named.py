"""The name that a request gives its file (files §2.1, RFC 6266 §4.3)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from xmpp_rest.service.files.names import NO_NAME, usual_ending

_WORD = r"[!#$%&'*+.^_`|~A-Za-z0-9-]+"  # RFC 9110 §5.6.2
_PARAMETER = re.compile(rf';[ \t]*({_WORD})[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;\s"]*)', re.DOTALL)
_EXTENDED = re.compile(r"([A-Za-z0-9!#$%&+^_`{}~-]+)'[^']*'(.*)", re.DOTALL)  # RFC 8187 §3.2.1


def name_in_disposition(field: str) -> str:
    """The file name in a Content-Disposition field: `filename*`, then `filename`; "" for none."""
    found: dict[str, str] = {}
    for name, value in _PARAMETER.findall(f";{field}" if "=" in field.partition(";")[0] else field):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value)
    return _extended(found.get("filename*", "")) or _as_utf8(found.get("filename", ""))


def _extended(value: str) -> str:
    if (match := _EXTENDED.fullmatch(value)) is None or match[1].lower() not in ("utf-8", "iso-8859-1"):
        return ""
    try:
        return unquote(match[2], encoding=match[1], errors="strict")
    except UnicodeDecodeError:
        return ""


def _as_utf8(value: str) -> str:
    """What a client has sent as UTF-8, though fields of HTTP are not (WSGI hands on Latin-1)."""
    try:
        return value.encode("latin-1").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value


def name_in_url(url: str) -> str:
    """The last segment of the path; "" for none."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def chosen_name(names: tuple[str, ...], media_type: str) -> str:
    """The first name that is given; else one that fits the type."""
    return next(filter(None, names), "") or NO_NAME + usual_ending(media_type)
