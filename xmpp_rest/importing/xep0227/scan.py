"""Reads one file piece by piece, and goes on after what is not well-formed: only the element that holds it is lost.

COMPAT ejabberd: `export_piefxis` writes names of vCard fields as they are, also "" and "x y", and characters that XML does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from xmpp_rest.importing.sources import BadSource
from xmpp_rest.importing.xep0227.events import Damage, Event, UserEnds
from xmpp_rest.importing.xep0227.names import HOST, SERVER, USER
from xmpp_rest.importing.xep0227.outline import MOST, OpenElement, Outline

CHUNK = 1 << 16  # bytes
OVERLAP = 1 << 10  # bytes: longer than the tags that are looked for
DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*\?>")


class _Resumption(NamedTuple):
    """A place in the file, and the elements that are open there."""

    place: int
    open: list[OpenElement]


def scan(file: BinaryIO, around: Sequence[OpenElement] = (), progress: Callable[[int], None] = lambda _: None) -> Iterator[Event]:
    """The events of a file that can be sought in. `around`: the elements into which it is included; `progress` takes the place in the file.

    Raises BadSource if it is not a file of XEP-0227, and OSError.
    """
    found = DECLARATION.match(file.read(CHUNK)) if around else None
    at: _Resumption | None = _Resumption(found.end() if found else 0, list(around))
    while at:
        outline = Outline(at.open)
        prefix = "".join(element.start_tag() for element in at.open).encode()
        try:
            outline.parser.Parse(prefix)
            file.seek(at.place)
            while chunk := file.read(CHUNK):
                progress(file.tell())
                outline.parser.Parse(chunk)
                if file.tell() - at.place - outline.parser.CurrentByteIndex > MOST:
                    raise BadSource(f"it has a tag of more than {MOST} bytes")
                yield from outline.taken()
            outline.parser.Parse("".join(f"</{element.local}>" for element in reversed(around)).encode(), True)
            yield from outline.taken()
            return
        except expat.ExpatError as e:
            yield from outline.taken()
            place = at.place + max(0, outline.parser.ErrorByteIndex - len(prefix))
            sentence = f"it is not well-formed at byte {place}: {expat.ErrorString(e.code)}"
            if not outline.open:
                raise BadSource(sentence) from e
            yield Damage(outline.passing or outline.open[-1].local, sentence)
            # at a wrong end tag the parser names the place after `</`
            at = _next(file, max(place - 2, at.place + 1), outline)
            if _is_in_user(outline.open) and not (at and _is_in_user(at.open)):
                yield UserEnds()


def _is_in_user(open_: Sequence[OpenElement]) -> bool:
    return any(element.name == USER for element in open_)


def _next(file: BinaryIO, place: int, outline: Outline) -> _Resumption | None:
    """Where to go on after a fault: behind the end of an element that is open, or at the next user. None: nowhere."""
    open_ = outline.open
    ends = {element.local: open_[:number] for number, element in enumerate(open_) if element.name not in (SERVER, HOST)}
    if outline.passing:
        ends[outline.passing] = open_
    names = "|".join(map(re.escape, ends)) or "(?!)"
    match = _search(file, place, re.compile(rf"</(?:[\w.-]+:)?({names})\s*>|(?=<user[\s>/])".encode()))
    if match is None:
        return None
    end, name = match
    return _Resumption(end, [element for element in open_ if element.name in (SERVER, HOST)] if name is None else list(ends[name.decode()]))


def _search(file: BinaryIO, place: int, pattern: re.Pattern[bytes]) -> tuple[int, bytes | None] | None:
    """The end of the first match after a place in a file, and its group."""
    file.seek(place)
    rest, offset = b"", place
    while chunk := file.read(CHUNK):
        text = rest + chunk
        if match := pattern.search(text):
            return offset + match.end(), match[1]
        rest = text[-OVERLAP:]
        offset += len(text) - len(rest)
    return None
