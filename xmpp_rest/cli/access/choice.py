"""Chooses the way to the gateway: by `--url` and the variables beside it, else by the configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xmpp_rest.cli.access import Access
from xmpp_rest.cli.access.http_client import HttpClient
from xmpp_rest.cli.access.remote import RemoteAccess
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit

if TYPE_CHECKING:
    from xmpp_rest.config.table import Settings

URL, TOKEN, TOKEN_FILE = "XMPP_REST_URL", "XMPP_REST_TOKEN", "XMPP_REST_TOKEN_FILE"  # names of variables
MAX_TOKEN = 65536  # characters


def url_of(options: argparse.Namespace) -> str:
    """The URL of the gateway; "" for the one of this machine. What the command line says outranks the environment."""
    if options.url is not None:
        return str(options.url)
    is_here = options.config is not None or getattr(options, "offline", False)
    return "" if is_here else os.environ.get(URL, "")


def remote_client(options: argparse.Namespace) -> HttpClient | None:
    """A client of the gateway on another machine; None for that of this machine. Raises CannotStart."""
    url = url_of(options)
    if not url and options.url is None:  # one that is empty, as of a variable that is not set, is a mistake
        return None
    client = HttpClient(url, _token(options))
    if options.verbose:
        print(f"xmpp-rest: gateway: {url}; no configuration is read", file=sys.stderr)
    if client.is_open_to_others:
        print(f"xmpp-rest: remark: {url} is not encrypted, and shows the token to others on the way", file=sys.stderr)
    return client


@contextmanager
def access(load: Load, options: argparse.Namespace, *, offline: bool = False) -> Iterator[Access]:
    """The gateway that the options name. `offline`: its storage will do.

    Raises CannotStart, SettingsError, and what opening a storage does.
    """
    if (client := remote_client(options)) is not None:
        with closing(client):
            yield RemoteAccess(client)
        return
    with _here(load(), options, offline) as found:
        yield found


@contextmanager
def _here(settings: Settings, options: argparse.Namespace, offline: bool) -> Iterator[Access]:
    from xmpp_rest.cli.access.local import LeaderAnswers, LocalAccess, OwnCalls  # what it stands on takes a second to import
    from xmpp_rest.cli.gateway import alone, require_storage, running
    from xmpp_rest.errors import GatewayError

    sender = getattr(options, "sender", None)
    if sender is not None and sender.domain not in settings.gateway.domains:
        raise CannotStart(Exit.USAGE, f"--from: {sender} is not at {settings.gateway.domain}, which this gateway hosts")
    with running(settings) as client:
        if client is not None:
            yield LocalAccess(LeaderAnswers(client), settings)
            return
    if not offline:
        try:
            require_storage(settings, offline=False)  # says why not
        except GatewayError as e:
            raise CannotStart(Exit.UNAVAILABLE, e.text) from e
    with alone(settings, options.offline) as gateway:
        yield LocalAccess(OwnCalls(gateway), settings)


def _token(options: argparse.Namespace) -> str:
    """The token of --token-file, or of the environment; "" for none. Raises CannotStart."""
    path = options.token_file or (None if os.environ.get(TOKEN) else os.environ.get(TOKEN_FILE))
    if path is None:
        return _checked(os.environ.get(TOKEN, ""), TOKEN)
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return _checked(file.read(MAX_TOKEN), str(path))
    except OSError as e:
        code = Exit.NOPERM if isinstance(e, PermissionError) else Exit.NOINPUT
        raise CannotStart(code, f"the token cannot be read: {path}: {e.strerror}") from e


def _checked(text: str, place: str) -> str:
    token = text.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise CannotStart(Exit.DATAERR, f"{place}: there is something else than a token in it")
    return token
