"""Names and media types of files (files §2.1, §3.1)."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import Sequence
from email.message import Message
from urllib.parse import quote

LONGEST = 255  # bytes of UTF-8
LONGEST_ENDING = 32  # bytes, the dot included, that are kept of a name that is too long
NO_NAME = "file"
NO_TYPE = "application/octet-stream"
PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
MORE_TYPES = {
    "flac": "audio/flac", "m4a": "audio/mp4", "oga": "audio/ogg", "ogg": "audio/ogg", "mkv": "video/x-matroska", "jxl": "image/jxl",
    "md": "text/markdown", "apk": "application/vnd.android.package-archive", "7z": "application/x-7z-compressed",
}  # fmt: skip
"""Types by ending that not every system has in a table."""
_MAY_HAVE_SCRIPTS = re.compile(r".+\+xml|.+/(?:xml|xsl|html|svg|svg-xml|x-mixed-replace|.*(?:java|ecma|j|live)script.*)")
"""Types that browsers never show, whatever `inline` says. They read every `…+xml` as XML, which may have scripts."""
_WORD = r"[A-Za-z0-9!#$%&'+.^_`|~-]+"  # a token (RFC 9110 §5.6.2), but for `*`, which stands for all types
_TYPE = re.compile(rf"({_WORD}/{_WORD})[ \t]*(?:;(.*))?", re.DOTALL)
_LEFT_OUT = re.compile('["\\x00-\\x1f\\x7f-\\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]')
"""Control characters, quotation marks, and what XML 1.0 §2.2 forbids or advises against."""
_LEADING = re.compile(r"\A[.\s]+")


def clean_name(given: str) -> str:
    """The name of a file by what was given: without a path, in NFC, at most LONGEST bytes; `file` if nothing is left."""
    name = re.split(r"[/\\]", given)[-1]
    name = unicodedata.normalize("NFC", _LEFT_OUT.sub("", unicodedata.normalize("NFC", name)))
    name = _LEADING.sub("", name).rstrip()
    return _shortened(name) or NO_NAME


def _shortened(name: str) -> str:
    """At most LONGEST bytes of the name, its ending kept."""
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, ending = name.rpartition(".")
    kept = dot + ending
    if not stem or len(kept.encode()) > LONGEST_ENDING:
        stem, kept = name, ""
    return _cut(stem, LONGEST - len(kept.encode())) + kept


def _cut(text: str, size: int) -> str:
    """As many whole characters as fit into so many bytes."""
    return text.encode()[:size].decode("utf-8", "ignore")


def url_name(name: str) -> str:
    """A name as it stands in a URL."""
    return quote(name, safe="")


def media_type_of(given: str, name: str) -> str:
    """The media type: that which is given if it is one, else by the ending of the name. Of its parameters only charset stays."""
    if match := _TYPE.fullmatch(given.strip()):
        charset = _charset(match[2]) if match[2] else ""
        return match[1].lower() + (f"; charset={charset}" if charset else "")
    kind, packed = mimetypes.guess_type(f"x{name[-300:]}", strict=False)
    if packed:  # the bytes are those of the packed file
        return PACKED.get(packed, NO_TYPE)
    return kind or MORE_TYPES.get(name.rpartition(".")[2].lower(), NO_TYPE)


def _charset(parameters: str) -> str:
    message = Message()
    message["Content-Type"] = "x/x; " + re.sub(r"[^\t -~]", "", parameters)[:1000]
    charset = str(message.get_param("charset") or "")
    return charset if re.fullmatch(_WORD, charset) else ""


def usual_ending(media_type: str) -> str:
    """The ending that files of this type usually have, with its dot; "" if there is none."""
    return mimetypes.guess_extension(essence(media_type), strict=False) or ""


def essence(media_type: str) -> str:
    """A media type without parameters."""
    return media_type.partition(";")[0].strip().lower()


def is_inline(media_type: str, inline: Sequence[str]) -> bool:
    """Whether browsers may show it: it is among the types `inline`, also written `image/*`."""
    kind = essence(media_type)
    return not _MAY_HAVE_SCRIPTS.fullmatch(kind) and (kind in inline or f"{kind.partition('/')[0]}/*" in inline)


def disposition(name: str, *, inline: bool) -> str:
    """The Content-Disposition field (RFC 6266): the name in ASCII, and the whole of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().replace("\\", "")
    plain = re.sub(r"[^ -~]", "", plain).strip()
    plain = NO_NAME + plain if not plain or plain.startswith(".") else plain
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
