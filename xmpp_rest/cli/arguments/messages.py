"""The words of the commands that speak with a gateway: `send`, `listen`, `status`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmpp_rest.protocol.jid import JID

MAX_ID = 1000  # characters of the id of an event
TYPES = ("normal", "chat", "headline", "groupchat")
ELSEWHERE = "From another machine: --url and --token-file, or $XMPP_REST_URL and $XMPP_REST_TOKEN_FILE; no configuration is read then."


def add_send(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `send`."""
    parser.epilog = f"exit codes: 0 the server has it, 1 refused, 75 it is kept, and goes out once the server can be reached. {ELSEWHERE}"
    parser.add_argument("recipient", metavar="JID", nargs="?", help="to whom; several addresses with commas between them")
    parser.add_argument("text", metavar="TEXT", nargs="?", help="what; `-`, or nothing, reads it from standard input")
    to = "to whom, instead of the first word; may be given several times"
    parser.add_argument("--to", metavar="JID", type=address, action="append", default=[], help=to)
    sender = "from whom, at the hosted domain (default: the first of [auth] admins, or the account of the token)"
    parser.add_argument("--from", metavar="JID", dest="sender", type=address, help=sender)
    parser.add_argument("--subject", default="", help="subject of the message")
    kind = "type of the message (default: chat); groupchat: JID is a room, in which the sender stays"
    parser.add_argument("--type", choices=TYPES, default="chat", help=kind)
    parser.add_argument("--wait", metavar="SECONDS", type=seconds, default=10.0, help="how long to wait for the server (default: 10)")
    parser.add_argument("--room", action="store_true", help="JID is a room: enter it, say TEXT there, and leave")
    file = "send a file, with TEXT as its caption; may be given several times"
    parser.add_argument("--file", metavar="PATH", type=Path, action="append", default=[], help=file)
    lines = "send the objects of /rest on standard input, one a line, and print one line of result for each"
    parser.add_argument("--json", action="store_true", help=lines)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_url(parser)


def add_listen(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `listen`."""
    parser.epilog = f"It comes back after every interruption, and misses and repeats nothing that is archived. {ELSEWHERE}"
    account = "whose messages (default: the first of [auth] admins, or the account of the token)"
    parser.add_argument("--account", metavar="JID", type=address, help=account)
    parser.add_argument("--since", metavar="ID", type=event_id, help="begin after the event of this id, as `event_id` of --json says")
    parser.add_argument("--count", metavar="N", type=count, help="end after so many events; 1 is the exit code if the time is over before")
    parser.add_argument("--timeout", metavar="SECONDS", type=duration, help="end after so many seconds")
    parser.add_argument("--json", action="store_true", help="print each stanza as JSON, with `event_id`, one a line")
    program = "run a program with its arguments for each stanza: it has JSON on standard input, and XMPP_FROM, XMPP_BODY …"
    parser.add_argument("--exec", metavar="PROGRAM", help=program)
    add_url(parser)


def add_status(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `status`."""
    parser.epilog = f"exit codes: 0 ready, 1 not ready, 69 not running. {ELSEWHERE} The token is that of an administrator."
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_url(parser)


def add_url(parser: argparse.ArgumentParser) -> None:
    """Add the options for a gateway on another machine."""
    parser.add_argument("--url", metavar="URL", help="the URL of a gateway on another machine (default: $XMPP_REST_URL)")
    token = "a file with a token for it (default: $XMPP_REST_TOKEN, or the file that $XMPP_REST_TOKEN_FILE names)"  # noqa: S105  # a help text
    parser.add_argument("--token-file", metavar="FILE", type=Path, help=token)


def address(text: str) -> JID:
    """The address that is written. Raises ArgumentTypeError."""
    from xmpp_rest.protocol.jid import InvalidJID, parse_jid

    try:
        return parse_jid(text)
    except InvalidJID as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address ({e})") from e


def event_id(text: str) -> str:
    """What may be the id of an event, and a field of HTTP; empty for none. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isprintable()) or len(text) > MAX_ID:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not the id of an event; `event_id` of --json says them")
    return text


def seconds(text: str) -> float:
    """A time of up to an hour that is written in seconds. Raises ArgumentTypeError."""
    number = _number(text)
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds from 0 to 3600")
    return number


def duration(text: str) -> float:
    """Any time that is written in seconds. Raises ArgumentTypeError."""
    number = _number(text)
    if not 0 <= number <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds")
    return number


def count(text: str) -> int:
    """A number from 1 on. Raises ArgumentTypeError."""
    number = _number(text)
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"{text!r}: write a number from 1 on")
    return int(number)


def _number(text: str) -> float:
    """-1 for what is not a number."""
    try:
        number = float(text)
    except ValueError:
        return -1.0
    return number if abs(number) < 10**12 else -1.0
