"""`xmpp-rest run`: checks that the gateway can start, then serves the application with gunicorn."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from functools import partial

from flask import Flask

from drivers.lease import LeaseTaken
from xmpp_rest.application import build
from xmpp_rest.cli.gateway import place
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.check import remarks
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.put_in_force import refreshed
from xmpp_rest.gateway.startup import STARTING, explained, require_start
from xmpp_rest.logs.setup import set_up

log = logging.getLogger("xmpp_rest.server")


def run(read: Load, _: argparse.Namespace) -> int:
    """Serve until told to stop. Raises SettingsError, CannotStart."""
    settings = read()
    if not (settings.file or settings.given):
        where = "neither --config nor XMPP_REST_CONFIG names one, no wsgi.ini was found, and no setting is in the environment"
        raise CannotStart(Exit.CONFIG, f"there is no configuration: {where}; `xmpp-rest init` writes one")
    require_start(settings)  # what cannot work is said here, once, not by every worker
    set_up(settings.server)
    try:
        gateway = Gateway(settings)
        gateway.prepare()
        gateway.stop()
        app = build(settings)  # before the fork, so that the workers share its memory
    except STARTING as e:
        raise explained(e, settings) from e
    log.info("%s", place(settings))
    for remark in remarks(settings):
        log.warning("%s", remark)

    from xmpp_rest.serving.server import Server  # gunicorn takes a while to import, and only this command needs it

    Server(settings, partial(load, settings, app), on_start=start, on_stop=stop).run()
    return Exit.DONE


def load(settings: Settings, app: Flask, is_first: bool) -> Flask:
    """The application of one worker: `app`, which was built for `settings`, unless others are in force by now.

    `is_first`: there have been no changes yet.
    """
    fresh = settings if is_first else refreshed(settings)
    return app if fresh == settings else build(fresh)


def start(app: Flask, end_all: Callable[[], None]) -> None:
    """In a worker, after the fork: the link may connect. `end_all` ends all workers, for when the storage is lost to another gateway.

    What cannot work was said before the first fork. gunicorn ends all of itself where a worker fails here, so one that comes in place of
    another while the database is down must not.
    """
    gateway: Gateway = app.extensions["gateway"]
    gateway.start_in_time(lambda e: isinstance(e, LeaseTaken), end_all)


def stop(app: Flask) -> None:
    """In a worker, after its connections have drained."""
    gateway: Gateway = app.extensions["gateway"]
    gateway.stop()
