"""Sources of an import: the table of readers, and the errors that every reader raises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.records import Entity

_PREFIX = re.compile(r"[a-z]+(\+[a-z0-9]+)?")


class NoSource(Exception):
    """There is no such source; the sentence says what was looked for."""


class BadSource(Exception):
    """The source cannot be read at all; the sentence says why."""


def _unknown() -> float:
    return 0.0


class ImportSource(NamedTuple):
    """An open source. `entities` is consumed once, and closes what it has opened at its end. `share` is what was read, from 0 to 1."""

    entities: Iterator[Entity]
    share: Callable[[], float] = _unknown


class SourceRequest(NamedTuple):
    """What the command line says: the text after the prefix, the folder of relative paths, and the domains."""

    place: str
    folder: Path
    domains: Domains


Opener = Callable[[SourceRequest], ImportSource]
"""Opens a source. Raises NoSource, BadSource; so may the iteration."""


def opened(text: str, request: SourceRequest, openers: dict[str, Opener]) -> ImportSource:
    """The source that `text` names: `PREFIX:PLACE` with a prefix of `openers`, else a path, which the opener with the prefix "" takes.

    Raises NoSource, BadSource.
    """
    prefix, colon, place = text.partition(":")
    if colon and _PREFIX.fullmatch(prefix) and prefix not in openers:
        known_ones = ", ".join(f"{each}:" for each in openers if each)
        raise NoSource(f"{prefix}: is none of {known_ones}; a file of such a name is ./{prefix}:…")  # without the rest: a password
    known = bool(colon) and prefix in openers
    return openers[prefix if known else ""](request._replace(place=place if known else text))
