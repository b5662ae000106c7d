"""The words of `token`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmpp_rest.protocol.jid import JID

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
LIST, REVOKE = "list", "revoke"


def add_token(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `token`."""
    parser.description = (
        "Make a bearer token that acts as an account, or may only do what is said here: it is shown once, and only its hash is kept."
        " `token list [ACCOUNT]` prints id, account, scopes, and when each was made and expires; `token revoke ID` ends one."
    )
    parser.add_argument("account", metavar="ACCOUNT", help="whose token is made; or `list`, or `revoke`")
    of = "whose tokens are listed (default: all); or the id of the one that is revoked, or its beginning"
    parser.add_argument("of", metavar="ACCOUNT|ID", nargs="?", help=of)
    to = "it may do nothing but send messages to addresses like this one (`*` for any letters); may be given several times"
    parser.add_argument("--may-send-to", metavar="GLOB", type=glob, action="append", default=[], help=to)
    scope = "ejabberd:user (act as the account: the default), ejabberd:admin, a command's name; may be given several times"
    parser.add_argument("--scope", metavar="SCOPE", action="append", default=[], help=scope)
    parser.add_argument("--ttl", metavar="TIME", type=lifetime, help="how long it lasts: 3600, 12h, 30d (default: a year)")


def account(text: str) -> JID:
    """The account that is written. Raises ArgumentTypeError."""
    from xmpp_rest.protocol.jid import InvalidJID, parse_jid

    try:
        jid = parse_jid(text)
    except InvalidJID as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address ({e})") from e
    if not jid.local:
        raise argparse.ArgumentTypeError(f"{text!r} names no account; write user@domain")
    return jid.bare


def glob(text: str) -> str:
    """A pattern of addresses. Raises ArgumentTypeError."""
    from xmpp_rest.auth.scopes import send_scope

    try:
        send_scope(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    return text


def lifetime(text: str) -> int:
    """The seconds of a time with its unit. Raises ArgumentTypeError."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds, or one followed by m, h or d")
    return int(match[1]) * UNITS[match[2]]
