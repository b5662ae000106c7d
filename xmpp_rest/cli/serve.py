"""Serving: checks that the gateway can start, then serves the application with gunicorn."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

from drivers import StorageError
from drivers.lease import LeaseTaken
from xmpp_rest.api.commands.audit import record
from xmpp_rest.application import build
from xmpp_rest.cli.gateway import place
from xmpp_rest.config.check import remarks
from xmpp_rest.config.live import Merged
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.link_watch import LinkWatch
from xmpp_rest.gateway.put_in_force import refreshed, reread_for_new_processes
from xmpp_rest.gateway.startup import STARTING, explained, is_lasting, require_start
from xmpp_rest.logs.setup import follow, set_up

if TYPE_CHECKING:
    from xmpp_rest.serving.server import Parent

log = logging.getLogger("xmpp_rest.server")


def serve(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises CannotStart."""
    require_start(settings)  # what cannot work is said here, once, not by every worker
    set_up(settings.server)
    try:
        prepare(settings)
        app = build(settings)  # before the fork, so that the workers share its memory
    except STARTING as e:
        raise explained(e, settings) from e
    log.info("%s", place(settings))
    for remark in remarks(settings):
        log.warning("%s", remark)

    from xmpp_rest.serving.server import Server  # gunicorn takes a while to import, and only this command needs it

    server = Server(settings, partial(load, settings, app), on_start=start, on_stop=stop, reread=reread)
    return _code_of(server.run, os.getpid())


def prepare(settings: Settings) -> None:
    """Say here, once, what keeps all workers from serving. A node of several waits, as its workers do, for what may be over in a while."""
    gateway = Gateway(settings)
    try:
        gateway.prepare()
    except (StorageError, GatewayError) as e:
        if not settings.cluster.is_on or is_lasting(e):
            raise
        log.warning("the processes of this node wait for the database: %s", " ".join(str(e).split()))
    finally:
        gateway.stop()


def _code_of(serve: Callable[[], None], parent: int) -> int:
    """The exit code, where gunicorn has its own: 3 and 4 if a worker cannot begin, 1 for the rest. Workers keep theirs, which it knows."""
    try:
        serve()
    except SystemExit as e:
        if os.getpid() != parent:
            raise
        if isinstance(e.code, str):
            print(f"xmpp-rest: {e.code}", file=sys.stderr)
        return Exit.SOFTWARE if e.code else Exit.DONE
    return Exit.DONE


def load(built_for: Settings, app: Flask, settings: Settings, is_first: bool) -> Flask:
    """The application of one worker: `app`, which was built for `built_for`, unless other settings are in force by now.

    `is_first`: there have been no changes yet.
    """
    fresh = settings if is_first else refreshed(settings)
    if fresh.server != settings.server:
        follow(fresh.server)
    return app if fresh == built_for else build(fresh)


def reread(settings: Settings) -> Merged:
    """In the parent of the workers: what they are to work by from now on. Raises SettingsError."""
    try:
        merged = reread_for_new_processes(settings)
    except SettingsError:
        record(None, "", "reload", (), 400)
        raise
    record(None, "", "reload", (), 200)
    follow(merged.settings.server)
    return merged


def start(app: Flask, parent: Parent) -> None:
    """In a worker, after the fork: the link may connect. All workers end when the storage is lost to another gateway.

    What cannot work was said before the first fork. gunicorn ends all of itself where a worker fails here, so one that comes in place of
    another while the database is down must not.
    """
    gateway: Gateway = app.extensions["gateway"]
    gateway.start_in_time(lambda e: isinstance(e, LeaseTaken), parent.end_all)
    if parent.tell_link is not None:
        LinkWatch(gateway, parent.tell_link).start()


def stop(app: Flask) -> None:
    """In a worker, after its connections have drained."""
    gateway: Gateway = app.extensions["gateway"]
    gateway.stop()
