"""What a file of XEP-0227 consists of, in order, when it is read piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element


class HostBegins(NamedTuple):
    jid: str


class UserBegins(NamedTuple):
    attributes: Mapping[str, str]


class UserEnds(NamedTuple):
    pass


class Piece(NamedTuple):
    """A child of `user`, or a child of one of STREAMED, whose name is then `container`; "" otherwise."""

    container: str
    element: Element


class Include(NamedTuple):
    """An XInclude, inside the host of this name, or outside any."""

    href: str
    host: str


class Damage(NamedTuple):
    """Something that is not well-formed, or exceeds a bound, and was passed over: in which element, and why."""

    where: str
    reason: str


Event = HostBegins | UserBegins | UserEnds | Piece | Include | Damage
