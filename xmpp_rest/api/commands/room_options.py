"""The options of `create_room_with_opts` (commands-api §11, §12)."""

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
# COMPAT ejabberd: `;` separates since 25.03, `,` before; what is not followed by another address is part of a nick
_NEXT = re.compile(r"[;,](?=[^;,=:@]+@[^;,=:@]+(?:[;,=:]|$)|\s*$)")


class RoomSetup(NamedTuple):
    """Options, affiliations (address, word) and subscribers (address, nick, nodes) of a new room."""

    options: dict[str, str]
    affiliations: list[list[str]]
    subscribers: list[list[Any]]


def read(given: Given) -> RoomSetup:
    """The options, with two that are lists taken apart. Raises CommandFailure."""
    options = dict(given)
    affiliations = [_affiliation(part) for part in split(options.pop("affiliations", ""))]
    subscribers = [_subscriber(part) for part in _NEXT.split(options.pop("subscribers", "")) if part.strip()]
    return RoomSetup(options, affiliations, subscribers)


def _affiliation(part: str) -> list[str]:
    """`owner=a@h` or `owner:a@h`."""
    word, *address = _PAIR.split(part, maxsplit=1)
    return [_address("".join(address)), word.strip()]


def _subscriber(part: str) -> list[Any]:
    """`a@h=Nick=messages=presence`, or the same with `:`. The first of both signs after the `@` separates: before it a `=` is a letter."""
    local, at, rest = part.partition("@")
    local, rest = (local, rest) if at else ("", part)
    found = _PAIR.search(rest)
    domain, *words = rest.split(found[0]) if found else [rest]
    nick, nodes = "".join(words[:1]), [word if word in NODES else NODES_PREFIX + word for word in map(str.strip, words[1:])]
    if not set(nodes) <= set(NODES):
        raise rejected(f"Invalid subscriber: the nodes are {', '.join(node.removeprefix(NODES_PREFIX) for node in NODES)}")
    return [_address(local + at + domain), nick, nodes]


def _address(text: str) -> str:
    try:
        return str(parse_jid(text.strip()).bare)
    except InvalidJID as e:
        raise rejected(f"Invalid address: {e}") from e
