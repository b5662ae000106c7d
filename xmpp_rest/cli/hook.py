"""`xmpp-rest hook`: make and manage incoming hooks, through the running gateway, on its storage, or by its URL (hooks §4)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from drivers import StorageError
from xmpp_rest.cli.access.choice import remote_client
from xmpp_rest.cli.access.hooks import HookAccess, LocalHooks, RemoteHooks, TokenAndURL, called_here, called_in, own_url
from xmpp_rest.cli.gateway import alone, running
from xmpp_rest.cli.hook_calls import HookCalls
from xmpp_rest.cli.output import DONE, FAILED, UNREACHABLE, WRONG_USAGE, write
from xmpp_rest.cli.streams import one_line, printable
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.load import SettingsError
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.service.hooks.tokens import new_token

MAX_FILE = 1 << 24  # bytes
WHERE = "http://127.0.0.1:8080"
"""Where a gateway listens of which nothing is known."""
OF_CODES = {Exit.USAGE: WRONG_USAGE, **dict.fromkeys((Exit.REFUSED, Exit.NOINPUT, Exit.DATAERR), FAILED)}
"""Exit codes of other verbs → those here; the others are UNREACHABLE."""
UNREACHED = frozenset(("link-down", "storage-failed", "unanswered"))
"""Errors after which nobody was reached."""


def run(load: Load, options: argparse.Namespace) -> int:
    """Do what the words after `hook` say; the exit code, which is one of `xmpp-restctl`'s."""
    try:
        return ACTIONS[options.action](load, options)
    except (SettingsError, CannotStart, StorageError, GatewayError, OSError) as e:
        for sentence in getattr(e, "problems", None) or (e.text if isinstance(e, GatewayError) else str(e),):
            print(f"xmpp-rest: {one_line(sentence)}", file=sys.stderr)
        return _code(e)


def _code(error: Exception) -> int:
    if isinstance(error, CannotStart):
        return OF_CODES.get(error.code, UNREACHABLE)
    if isinstance(error, GatewayError):
        return UNREACHABLE if error.name in UNREACHED else FAILED
    return UNREACHABLE


@contextmanager
def _hooks(load: Load, options: argparse.Namespace) -> Iterator[HookAccess]:
    """The hooks of the gateway that the options name. Raises CannotStart, SettingsError, StorageError, GatewayError."""
    if (client := remote_client(options)) is not None:
        with closing(client):
            yield RemoteHooks(client)
        return
    settings = load()
    with running(settings) as leader:
        if leader is not None:
            yield LocalHooks(called_in(leader), settings)
            return
    with alone(settings, options.offline) as gateway:
        yield LocalHooks(called_here(HookCalls(gateway)), settings)


def _add(load: Load, options: argparse.Namespace) -> int:
    members: dict[str, Any] = {
        "name": options.name, "targets": options.to, "owner": options.owner, "format": options.format, "template": options.template,
        "nick": options.nick, "rate": options.rate, "update": options.update or None, "get": options.get or None,
    }  # fmt: skip
    if options.secret_file is not None:
        members["secret"] = _read(options.secret_file).decode("utf-8", "replace").strip()
    with _hooks(load, options) as hooks:
        _tell(hooks.add({name: value for name, value in members.items() if value is not None}))
    return DONE


def _list(load: Load, options: argparse.Namespace) -> int:
    with _hooks(load, options) as hooks:
        write("".join("\t".join(map(printable, row)) + "\n" for row in hooks.listed()))
    return DONE


def _remove(load: Load, options: argparse.Namespace) -> int:
    with _hooks(load, options) as hooks:
        hooks.remove(options.name)
    return DONE


def _token(load: Load, options: argparse.Namespace) -> int:
    """A new token; without a name one for the configuration, for which nothing is asked or kept."""
    if options.name is None:
        token = new_token()
        try:
            where = own_url(load())
        except SettingsError:  # perhaps for want of this very token
            where = WHERE
        _tell(TokenAndURL(token, f"{where}/hooks/{token}"))
        return DONE
    with _hooks(load, options) as hooks:
        _tell(hooks.renew(options.name))
    return DONE


def _test(load: Load, options: argparse.Namespace) -> int:
    payload = None if options.payload is None else _read(options.payload)
    with _hooks(load, options) as hooks:
        results = hooks.test(options.name, payload)
    write("".join(f"{_line(result)}\n" for result in results))
    if any(result.get("outcome") == "accepted" for result in results):
        return DONE
    print("xmpp-rest: nobody has got it", file=sys.stderr)
    return FAILED


def _line(result: Mapping[str, Any]) -> str:
    """What became of one recipient."""
    error = result.get("error") or {}
    told = [result.get("to", ""), result.get("outcome", ""), error.get("condition", ""), error.get("text", "")]
    return "\t".join(printable(str(part)) for part in told if part)


def _tell(told: TokenAndURL) -> None:
    write(f"{told.url}\n{told.token}\n")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as e:
        raise CannotStart(Exit.NOINPUT, f"{path}: {e.strerror}") from e
    if len(content) > MAX_FILE:
        raise CannotStart(Exit.NOINPUT, f"{path}: is larger than {MAX_FILE >> 20} MB")
    return content


ACTIONS: Mapping[str, Callable[[Load, argparse.Namespace], int]] = {
    "add": _add, "list": _list, "remove": _remove, "token": _token, "test": _test,
}  # fmt: skip
"""What is done for each word."""
