"""The words of the commands that send and receive: `send`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmpp_rest.protocol.jid import JID

TYPES = ("normal", "chat", "headline")


def add_send(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `send`."""
    parser.epilog = "exit codes: 0 the server has it, 1 refused, 75 it is kept, and goes out once the server can be reached"
    parser.add_argument("to", metavar="JID", type=address, help="to whom")
    parser.add_argument("text", metavar="TEXT", nargs="?", default="-", help="what; `-`, or nothing, reads it from standard input")
    sender = "from whom, at the hosted domain (default: the first of [auth] admins)"
    parser.add_argument("--from", metavar="JID", dest="sender", type=address, help=sender)
    parser.add_argument("--subject", default="", help="subject of the message")
    parser.add_argument("--type", choices=TYPES, default="chat", help="type of the message (default: chat)")
    parser.add_argument("--wait", metavar="SECONDS", type=seconds, default=10.0, help="how long to wait for the server (default: 10)")


def address(text: str) -> JID:
    """The address that is written. Raises ArgumentTypeError."""
    from xmpp_rest.protocol.jid import InvalidJID, parse_jid

    try:
        return parse_jid(text)
    except InvalidJID as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address ({e})") from e


def seconds(text: str) -> float:
    """A time that is written in seconds. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds from 0 to 3600")
    return number
