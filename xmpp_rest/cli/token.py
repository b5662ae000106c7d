"""`xmpp-rest token` and `xmpp-restctl token`: make, list and revoke tokens for scripts, on the storage."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from drivers import open_driver
from drivers.lease import Lease
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.audit import record
from xmpp_rest.auth.lifetimes import BY_COMMAND_LINE
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.auth.rights import Principal
from xmpp_rest.auth.scopes import GENERAL_SCOPES, is_scope, send_scope
from xmpp_rest.auth.tokens import Token, Tokens
from xmpp_rest.cli.arguments.tokens import LIST, REVOKE, account, add_token
from xmpp_rest.cli.gateway import audited, require_storage, running
from xmpp_rest.cli.output import DONE, FAILED, WRONG_USAGE, Printed, write
from xmpp_rest.cli.parser import Parser
from xmpp_rest.cli.runner import PLACE
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import folder_of
from xmpp_rest.gateway.storage_lease import node_of, of_cluster
from xmpp_rest.protocol.jid import JID

SHOWN = 16  # digits of a token's hash that are its id here: nobody meets two of the same
SHORTEST = 8  # digits of an id that are enough
OF_EJABBERDCTL = {Exit.USAGE: WRONG_USAGE, Exit.REFUSED: FAILED, Exit.NOINPUT: FAILED}
"""Exit codes here → those of `xmpp-restctl`."""


def run(load: Load, options: argparse.Namespace) -> int:
    """`xmpp-rest token`; the exit code. Raises CannotStart, SettingsError, StorageError, GatewayError."""
    write(_act(load(), options))
    return Exit.DONE


def token(settings: Settings, words: Sequence[str], offline: bool) -> Printed:
    """`xmpp-restctl token`: what it prints. `offline`: also without a running gateway.

    Raises CannotStart, StorageError, OSError; GatewayError, link-down.
    """
    parser = Parser(prog="xmpp-restctl token")
    parser.add_argument("--offline", action="store_true", help="work on the storage although no gateway runs")
    add_token(parser)
    try:
        options = parser.parse_args(words)
    except SystemExit as e:  # the parser has printed why
        return Printed(WRONG_USAGE if e.code else DONE, "")
    try:
        return Printed(DONE, _act(settings, argparse.Namespace(**vars(options) | {"offline": options.offline or offline})))
    except CannotStart as e:
        if e.code not in OF_EJABBERDCTL:
            raise
        return Printed(OF_EJABBERDCTL[e.code], f"Error: {e}\n")
    except GatewayError as e:
        if e.name == "link-down":
            raise
        return Printed(FAILED, f"Error: {e.text}\n")


def _act(settings: Settings, options: argparse.Namespace) -> str:
    if options.account == LIST:
        return _list(settings, options)
    if options.account == REVOKE:
        return _revoke(settings, options)
    if options.of is not None:
        raise CannotStart(Exit.USAGE, f"token: {options.of!r} is one word too many")
    owner = _account(options.account)
    scopes = [send_scope(glob) for glob in options.may_send_to] + options.scope
    if unknown := [s for s in scopes if not is_scope(s, registry().names)]:
        known = ", ".join(sorted(GENERAL_SCOPES))
        raise CannotStart(Exit.REFUSED, f"{unknown[0]}: there is no such scope; write one of {known}, or a command")
    return _issue(settings, options, owner, scopes or ["ejabberd:user"]) + "\n"


def _account(text: str) -> JID:
    try:
        return account(text)
    except argparse.ArgumentTypeError as e:
        raise CannotStart(Exit.USAGE, f"token: {e}") from e


@contextmanager
def _tokens(settings: Settings, options: argparse.Namespace, owner: JID | None = None) -> Iterator[Tokens]:
    """The tokens in the storage; `owner` must have an account there. Raises StorageError, GatewayError, CannotStart."""
    with running(settings) as gateway:
        runs = bool(gateway)
        require_storage(settings, options.offline or runs)
    domain, folder = settings.gateway.domain, folder_of(settings)
    holder = of_cluster(domain) if settings.cluster.is_on and runs else node_of(folder)
    with closing(open_driver(settings.storage.url, folder)) as driver:
        Lease(driver, holder, "", [domain]).require_free()
        if owner and (owner.domain != domain or driver.load(owner.local, owner.domain, ACCOUNTS) is None):
            raise GatewayError("account-unknown", f"{owner} has no account here, so a token of it would be useless")
        yield Tokens(driver, domain)


def _issue(settings: Settings, options: argparse.Namespace, owner: JID, scopes: list[str]) -> str:
    seconds: int = options.ttl or BY_COMMAND_LINE
    with _tokens(settings, options, owner) as tokens:
        text = tokens.issue(owner, scopes, seconds)
    with audited(folder_of(settings)):
        record(Principal(), PLACE, "token", [("jid", str(owner)), ("scopes", scopes), ("ttl", seconds)], 200)
    return text


def _list(settings: Settings, options: argparse.Namespace) -> str:
    owner = None if options.of is None else _account(options.of)
    with _tokens(settings, options) as tokens:
        found = [token for token in _alive(tokens) if owner in (None, token.owner)]
    return "".join(f"{_line(token)}\n" for token in sorted(found, key=lambda token: (str(token.owner), token.issued)))


def _alive(tokens: Tokens) -> Iterator[Token]:
    """Those that have not expired."""
    now = time.time()
    return (token for token in tokens.all() if token.expires > now)


def _line(token: Token) -> str:
    return "\t".join((token.hash[:SHOWN], str(token.owner), ",".join(sorted(token.scopes)), _time(token.issued), _time(token.expires)))


def _time(seconds: float) -> str:
    """A time in UTC; a dash for one that an older gateway has not kept."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if seconds else "-"


def _revoke(settings: Settings, options: argparse.Namespace) -> str:
    identifier = (options.of or "").lower()
    if len(identifier) < SHORTEST:
        raise CannotStart(Exit.USAGE, f"token revoke: write at least the first {SHORTEST} digits of an id, as `token list` has it")
    with _tokens(settings, options) as tokens:
        found = [token for token in _alive(tokens) if token.hash.startswith(identifier)]
        if not found:
            raise CannotStart(Exit.NOINPUT, f"there is no token {identifier}")
        if len(found) > 1:
            raise CannotStart(Exit.USAGE, f"{len(found)} tokens begin with {identifier}; write more of the id")
        tokens.revoke(found[0].hash)
    with audited(folder_of(settings)):
        record(Principal(), PLACE, "token_revoke", [("id", found[0].hash[:SHOWN]), ("jid", str(found[0].owner))], 200)
    return ""
