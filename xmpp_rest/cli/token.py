"""`xmpp-restctl token JID`: makes a token for scripts, on the storage."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import closing

from drivers import open_driver
from drivers.lease import Lease
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.audit import record
from xmpp_rest.auth.lifetimes import BY_COMMAND_LINE
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.auth.rights import Principal
from xmpp_rest.auth.scopes import GENERAL_SCOPES, is_scope, send_scope
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.cli.configuration import load
from xmpp_rest.cli.gateway import audited, require_storage, running
from xmpp_rest.cli.output import DONE, FAILED, WRONG_USAGE, Printed, write
from xmpp_rest.cli.runner import PLACE
from xmpp_rest.cli.verbs import make_parser
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.gateway.startup import folder_of
from xmpp_rest.gateway.storage_lease import node_of
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def token(settings: Settings, words: Sequence[str], offline: bool, prog: str = "xmpp-restctl token") -> Printed:
    """Make a token and print it. `offline`: also without a running gateway. Raises StorageError, GatewayError, OSError."""
    try:
        options = _parser(prog).parse_args(words)
    except SystemExit as e:  # argparse has printed why
        return Printed(WRONG_USAGE if e.code else DONE, "")
    scopes = [send_scope(glob) for glob in options.may_send_to] + options.scope
    if unknown := [s for s in scopes if not is_scope(s, registry().names)]:
        known = ", ".join(sorted(GENERAL_SCOPES))
        return Printed(FAILED, f"Error: {unknown[0]}: there is no such scope; write one of {known}, or a command\n")
    with running(settings) as gateway:
        require_storage(settings, offline or options.offline or bool(gateway))
    try:
        return Printed(DONE, _issue(settings, options.jid, scopes or ["ejabberd:user"], options.ttl) + "\n")
    except GatewayError as e:
        return Printed(FAILED, f"Error: {e.text}\n")


def run(before: Sequence[str], words: Sequence[str]) -> int:
    """`xmpp-rest token`; the exit code. Raises what `token` raises, and SettingsError."""
    options = make_parser().parse_args(before)
    printed = token(load(options), words, options.offline, "xmpp-rest token")
    write(printed.text)
    return Exit.USAGE if printed.code == WRONG_USAGE else printed.code


def _issue(settings: Settings, owner: JID, scopes: list[str], seconds: int) -> str:
    with closing(open_driver(settings.storage.url, folder_of(settings))) as driver:
        Lease(driver, node_of(folder_of(settings)), "", [settings.gateway.domain]).require_free()
        if owner.domain != settings.gateway.domain or driver.load(owner.local, owner.domain, ACCOUNTS) is None:
            raise GatewayError("account-unknown", f"{owner} has no account here, so a token of it would be useless")
        text = Tokens(driver, settings.gateway.domain).issue(owner, scopes, seconds)
    with audited(settings):
        record(Principal(), PLACE, "token", [("jid", str(owner)), ("scopes", scopes), ("ttl", seconds)], 200)
    return text


def _parser(prog: str) -> argparse.ArgumentParser:
    about = "Make a bearer token that acts as an account, or may only do what is said here. It is shown once, and only its hash is kept."
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("jid", metavar="JID", type=_account, help="whose token it is")
    to = "it may do nothing but send messages to addresses like this one (`*` for any letters); may be given several times"
    parser.add_argument("--may-send-to", metavar="GLOB", type=_glob, action="append", default=[], help=to)
    scope = "ejabberd:user (act as the account: the default), ejabberd:admin, a command's name; may be given several times"
    parser.add_argument("--scope", metavar="SCOPE", action="append", default=[], help=scope)
    ttl = "how long it lasts: 3600, 12h, 30d (default: a year)"
    parser.add_argument("--ttl", metavar="TIME", type=_seconds, default=BY_COMMAND_LINE, help=ttl)
    parser.add_argument("--offline", action="store_true", help="work on the storage although no gateway runs")
    return parser


def _account(text: str) -> JID:
    try:
        jid = parse_jid(text)
    except InvalidJID as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address ({e})") from e
    if not jid.local:
        raise argparse.ArgumentTypeError(f"{text!r} names no account; write user@domain")
    return jid.bare


def _glob(text: str) -> str:
    try:
        send_scope(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    return text


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds, or one followed by m, h or d")
    return int(match[1]) * UNITS[match[2]]
