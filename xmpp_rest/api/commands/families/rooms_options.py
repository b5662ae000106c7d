"""What do the options of `create_room_with_opts` say? (spec commands-api §11, §12)"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.service.muc.notices import NODES, NODES_PREFIX
from xmpp_rest.service.muc.options import split

Given = Iterable[tuple[str, str]]
_PAIR = re.compile("[=:]")


class Wanted(NamedTuple):
    """Options, affiliations (address, word) and subscribers (address, nick, nodes) of a new room."""

    options: dict[str, str]
    affiliations: list[list[str]]
    subscribers: list[list[Any]]


def read(given: Given) -> Wanted:
    """The options, with two that are lists taken apart. Raises Failure."""
    options = dict(given)
    affiliations = [_affiliation(part) for part in split(options.pop("affiliations", ""))]
    subscribers = [_subscriber(part) for part in split(options.pop("subscribers", ""))]
    return Wanted(options, affiliations, subscribers)


def _affiliation(part: str) -> list[str]:
    """`owner=a@h` or `owner:a@h`."""
    word, *address = _PAIR.split(part, maxsplit=1)
    return [_address("".join(address)), word.strip()]


def _subscriber(part: str) -> list[Any]:
    """`a@h=Nick=messages=presence`."""
    address, *rest = part.split("=") if "=" in part else part.split(":")
    nick, words = "".join(rest[:1]), rest[1:]
    nodes = [word if word in NODES else NODES_PREFIX + word for word in map(str.strip, words)]
    if not set(nodes) <= set(NODES):
        raise rejected(f"Invalid subscriber: the nodes are {', '.join(node.removeprefix(NODES_PREFIX) for node in NODES)}")
    return [_address(address), nick, nodes]


def _address(text: str) -> str:
    try:
        return str(parse_jid(text.strip()).bare)
    except InvalidJID as e:
        raise rejected(f"Invalid address: {e}") from e
