"""Finds the token of a hook in a request, wherever senders put it (hooks §5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Request

from xmpp_rest.auth.authorization import BASIC, read_authorization

PREFIX = "hk_"
"""What the token of a hook begins with, and the name of a hook does not."""
KEY_FIELD = "HTTP_X_GOTIFY_KEY"
PARAMETER = "token"
NO_HOOKS = "Accounts of {domain} have no hooks: what comes by one could be sent only with the password, which is not kept"
"""Of accounts of other servers (accounts-anywhere §7.5)."""


def token_in(request: Request) -> str | None:
    """The first text in the fields and the query of a request that begins as the token of a hook does; None without one."""
    return next((text for text in _places(request.environ, request.args) if text.startswith(PREFIX)), None)


def token_of_field(field: str | None) -> str | None:
    """The token of a hook in the value of an Authorization field: of any scheme; of Basic either half."""
    return next((text for text in _in_authorization(field) if text.startswith(PREFIX)), None)


def _places(environ: Mapping[str, Any], query: Mapping[str, str]) -> Iterator[str]:
    yield from _in_authorization(environ.get("HTTP_AUTHORIZATION"))
    yield str(environ.get(KEY_FIELD, "")).strip(" \t")
    yield query.get(PARAMETER, "")


def _in_authorization(field: str | None) -> Iterator[str]:
    given = read_authorization(field)
    if given is None or given.is_too_long:
        return
    if given.scheme != BASIC:
        yield given.text
    elif given.pair is not None:  # Apprise sends the token as the user name, with the password None
        name, password = given.pair
        yield password
        yield name
