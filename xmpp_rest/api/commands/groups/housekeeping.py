"""Clearing away what a server gathers (commands-api §12). Of some of it a gateway never has any, so that nothing is left to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from logging.handlers import BaseRotatingHandler

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services


def _handlers() -> Iterator[logging.Handler]:
    """Whatever writes the log; which files there are is the business of the server that runs the gateway."""
    for name in ("", "xmpp_rest"):
        yield from logging.getLogger(name or None).handlers


@command("reopen_log")
def reopen_log(_: Services) -> bool:
    """A file that was moved away is left; the next line opens a new one."""
    for handler in _handlers():
        if isinstance(handler, logging.FileHandler):
            handler.close()
    return True


@command("rotate_log")
def rotate_log(_: Services) -> bool:
    for handler in _handlers():
        if isinstance(handler, BaseRotatingHandler):
            handler.doRollover()  # type: ignore[attr-defined]  # of both kinds that there are
    return True


@command("stop_s2s_connections")
def stop_s2s_connections(_: Services) -> bool:
    """The gateway is a component, and has none."""
    return True


@command("delete_expired_pubsub_items")
def delete_expired_pubsub_items(_: Services) -> bool:
    """There is no publishing (XEP-0060) here."""
    return True


@command("delete_old_pubsub_items")
def delete_old_pubsub_items(_: Services, number: int) -> bool:
    if number < 0:
        raise rejected("Invalid number of items")
    return True


@command("delete_old_push_sessions")
def delete_old_push_sessions(_: Services, days: int) -> bool:
    """There are no push notifications (XEP-0357) here."""
    if days < 0:
        raise rejected("Invalid number of days")
    return True


COMMANDS = (
    reopen_log, rotate_log, stop_s2s_connections, delete_expired_pubsub_items, delete_old_pubsub_items, delete_old_push_sessions,
)  # fmt: skip
