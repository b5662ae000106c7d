"""Opens the files of XEP-0227 that SOURCE names, and yields the accounts in them.

SOURCE is a file or a folder of `.xml` files. A file may include others that lie beside it (XInclude), as the files of ejabberd do;
nothing else is ever opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from xmpp_rest.importing import records as r
from xmpp_rest.importing.sources import BadSource, ImportSource, NoSource, SourceRequest
from xmpp_rest.importing.xep0227.events import Damage, Event, HostBegins, Include, Piece, UserBegins, UserEnds
from xmpp_rest.importing.xep0227.names import HOST, OFFLINE, SERVER
from xmpp_rest.importing.xep0227.outline import OpenElement
from xmpp_rest.importing.xep0227.parts import of_attributes, of_element
from xmpp_rest.importing.xep0227.scan import scan
from xmpp_rest.protocol.stanza import KINDS as STANZAS

SMALL = 1 << 20  # bytes of a file that includes others, and has nothing else in it
_HREF = re.compile(rb"""<(?:\w+:)?include\s[^<>]*href\s*=\s*["']([^"']*)["']""")
_KINDS = {"vCard": r.KINDS[r.Card], OFFLINE: r.KINDS[r.OfflineMessage], "result": r.KINDS[r.Archived], "items": r.KINDS[r.PepItem]}
_KINDS |= dict.fromkeys(STANZAS, r.KINDS[r.OfflineMessage])


def opened(request: SourceRequest) -> ImportSource:
    """The source at a path. Raises NoSource, BadSource."""
    path = request.folder / request.place
    if not request.place or not os.path.exists(path):  # which is True for no folder that must not be read, and no name that is too long
        raise NoSource(f"there is no file {path}" if request.place else "SOURCE is empty")
    try:
        reading = _Reading(_files(path) if path.is_dir() else [path])
    except OSError as e:
        raise BadSource(f"{path}: {e.strerror}") from e
    return ImportSource(reading.entities(), reading.share)


def _files(folder: Path) -> list[Path]:
    """The files in a folder, but for those that others of them include. Raises NoSource, OSError."""
    files = sorted(Path(entry) for entry in os.scandir(folder) if entry.name.endswith(".xml") and not entry.is_dir())
    included = {name for file in files for name in _includes(file)}
    if paths := [file for file in files if file.name not in included]:
        return paths
    raise NoSource(f"there is no file *.xml in {folder}")


def _includes(path: Path) -> Iterator[str]:
    """The names of files that a small file includes; none if it cannot be read, which is reported when it is its turn."""
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= SMALL:
            yield from (name.decode("utf-8", "replace").removeprefix("./") for name in _HREF.findall(path.read_bytes()))


class _Reading:
    """The reading of some files, one after the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._total = 0
        self._done = 0
        self._here = 0
        self._read: set[Path] = set()  # files that have begun: two that include each other several times would have no end
        self._add(paths)

    def share(self) -> float:
        """How much was read, from 0 to 1."""
        return (self._done + self._here) / self._total if self._total else 1.0

    def entities(self) -> Iterator[r.Entity]:
        """Accounts, and what cannot be read. Raises BadSource."""
        several = len(self._paths) > 1
        for path in self._paths:
            try:
                yield from self._of_file(path, ())
            except BadSource as e:
                if not several:
                    raise
                yield r.Unreadable(path.name, "files", str(e))

    def _add(self, paths: Sequence[Path]) -> None:
        self._total += sum(path.stat().st_size for path in paths if path.exists())

    def _of_file(self, path: Path, around: Sequence[OpenElement]) -> Iterator[r.Entity]:
        self._read.add(path)
        try:
            with path.open("rb") as file:
                yield from self._of_events(path, scan(file, around, self._reached), around)
                self._done, self._here = self._done + os.fstat(file.fileno()).st_size, 0
        except BadSource as e:
            raise BadSource(f"{path}: {e}") from e
        except OSError as e:
            raise BadSource(f"{path}: {e.strerror}") from e

    def _reached(self, place: int) -> None:
        self._here = place

    def _of_events(self, path: Path, events: Iterator[Event], around: Sequence[OpenElement]) -> Iterator[r.Entity]:
        host = next((element.attributes.get("jid", "") for element in around if element.name == HOST), "")
        for event in events:
            match event:
                case HostBegins(host):
                    pass
                case UserBegins(attributes):
                    parts = _parts(events, attributes.get("name", ""), host, of_attributes(attributes))
                    yield r.Account(attributes.get("name", ""), host, parts)
                    for _ in parts:  # what was not taken
                        pass
                case Include(href, inside):
                    yield from self._included(path, href, inside)
                case Damage(where, reason):
                    yield r.Unreadable(f"{path.name}", f"<{where}/>", reason)

    def _included(self, path: Path, href: str, host: str) -> Iterator[r.Entity]:
        """The accounts of an included file, which must lie beside the one that includes it."""
        name = href.removeprefix("./")
        other = path.parent / name
        if not name or Path(name).name != name or other.is_symlink() or not other.is_file():
            yield r.Unreadable(path.name, "files", f"it includes {href!r}, which is not a file beside it")
            return
        if other in self._read:
            yield r.Unreadable(path.name, "files", f"it includes {href!r}, which is read already")
            return
        self._done, self._here = self._done + self._here, 0
        self._add([other])
        yield from self._of_file(other, [OpenElement(SERVER, {}), *([OpenElement(HOST, {"jid": host})] if host else [])])


def _parts(events: Iterator[Event], user: str, host: str, first: Iterator[r.AccountPart]) -> Iterator[r.AccountPart]:
    """The parts of one account, up to its end."""
    return chain(first, _pieces(events, f"{user}@{host}"))


def _pieces(events: Iterator[Event], owner: str) -> Iterator[r.AccountPart]:
    for event in events:
        match event:
            case UserEnds():
                return
            case Piece(container, element):
                yield from of_element(container, element, owner)
            case Damage(where, reason):
                yield r.LeftOut(_KINDS.get(where, f"<{where}/>"), reason)
