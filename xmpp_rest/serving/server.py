"""The server: gunicorn, configured from the settings (gunicorn itself reads no ini file)."""

from __future__ import annotations

import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from gunicorn.app.base import BaseApplication

from xmpp_rest.config import descriptors
from xmpp_rest.config.certificates import BadCertificate, tls_context
from xmpp_rest.config.live import Merged
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.table import Settings
from xmpp_rest.config.worker_class import OWN, lacking, usable
from xmpp_rest.serving import affinity
from xmpp_rest.serving.arbiter import SafeArbiter, accept_ending
from xmpp_rest.serving.ending import end_at_stop
from xmpp_rest.serving.listening import handed_over, listen
from xmpp_rest.serving.notify import taken_from
from xmpp_rest.serving.reports import WorkerReports
from xmpp_rest.serving.server_log import ServerLog

log = logging.getLogger("xmpp_rest.server")

GRACEFUL = 20  # seconds for requests that are under way when the server is told to stop
COLLECT_AT = 10_000  # new objects, about 1 MB, after which the collector looks for cycles; at 700, as by default, it takes up to a tenth


def _options(settings: Settings) -> dict[str, Any]:
    server = settings.server
    return {
        "workers": server.workers,
        "threads": server.threads,
        "worker_class": usable(server.worker_class),
        "worker_connections": descriptors.connections(settings),
        **_certificate(settings),
        "graceful_timeout": GRACEFUL,
        "timeout": 60,  # of the worker's heartbeat; requests may take longer
        "loglevel": dict(server.log_levels).get("server", server.log_level),
        "logger_class": ServerLog,
        "errorlog": "-",
        "limit_request_line": 8190,  # a JID in the path may have 3071 bytes, three times that when percent-encoded
        "http_parser": "python",  # the fast one lacks conformance fixes and gains nothing
        # forwarding fields are the application's to believe, by [server] proxies; gunicorn by itself trusts any process on this machine
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "control_socket_disable": True,  # on by default since 25.1, at a path that all of one user's instances share
        **({"post_fork": affinity.post_fork} if server.pin_workers else {}),
    }


def _certificate(settings: Settings) -> dict[str, Any]:
    """gunicorn looks whether there is one; the context comes from a hook."""
    paths = {"certfile": settings.server.certificate, "keyfile": settings.server.key}
    return {name: str(Path(settings.base) / path) if path else None for name, path in paths.items()}


def _freeze() -> None:
    """What there is by now stays: the collector need not look at it again, nor write to the memory that the processes share."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AT)


class Parent(NamedTuple):
    """What a worker may ask of the process that forked it."""

    end_all: Callable[[], None]
    """End all workers."""
    tell_link: Callable[[str, str], None] | None
    """Take note how the stream of a domain is; None: nobody wants to know."""


OnStart = Callable[[Flask, Parent], None]
"""Called in each worker after the fork, once the application is loaded."""
Load = Callable[[Settings, bool], Flask]
"""Called in each worker for its application: by these settings; whether it is one of the workers of the start, or came later."""


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn over one set of settings. `run()` serves until it is told to stop, and exits the process. Raises OSError: it cannot listen.

    `on_stop`: called in each worker after its connections have drained. `reread`: the settings for workers that come later, when the
    configuration is to be read again; raises SettingsError.
    """

    def __init__(
        self, settings: Settings, load: Load, on_start: OnStart, on_stop: Callable[[Flask], None], reread: Callable[[Settings], Merged]
    ) -> None:
        self._settings = settings
        self._load = load
        self._is_first = True  # whether the worker that is forked next is one of those of the start
        self._on_start = on_start
        self._on_stop = on_stop
        self._reread = reread
        self._notifier = taken_from(os.environ)
        self._reports = WorkerReports()
        descriptors.raise_limit(settings)
        listening = [] if handed_over() else listen(settings.server.bind, Path(settings.base), settings.server.socket_mode)
        self._tls = tls_context(settings)  # made before the fork: a session is resumed in whichever process
        self._binds = [f"fd://{sock.detach()}" for sock in listening]  # gunicorn's own sockets take their place
        super().__init__()

    def load_config(self) -> None:
        hooks = {"ssl_context": self._context, "pre_fork": self._before_fork, "post_worker_init": self._started, "worker_exit": self._ended}
        for name, value in (_options(self._settings) | {"bind": self._binds} | hooks).items():
            self.cfg.set(name, value)

    def _context(self, _: Any, __: Any) -> ssl.SSLContext | None:
        return self._tls

    def load(self) -> Flask:
        return self._load(self._settings, self._is_first)

    def run(self) -> None:
        if (used := usable(written := self._settings.server.worker_class)) != written:
            log.warning("[server] worker_class: %s serves instead of %s, as %s: what waits takes a thread", used, written, lacking())
        try:
            SafeArbiter(self, self._notifier, self._reports, self._refresh).run()
        except RuntimeError as e:
            sys.exit(f"Error: {e}")

    def _refresh(self) -> bool:
        """Read the configuration and the certificate again. Whether they are right; if not, all is as it was."""
        try:
            merged = self._reread(self._settings)
            tls = tls_context(merged.settings)
        except (SettingsError, BadCertificate) as e:
            for problem in getattr(e, "problems", (str(e),)):
                log.error("the configuration counts as it was: %s", problem)
            return False
        self._settings, self._tls = merged.settings, tls
        self.load_config()
        for names, what in ((merged.applied, "in force in new processes"), (merged.waiting, "in need of a restart")):
            if names:
                log.warning("the configuration was read again: %s: %s", what, ", ".join(names))
        return True

    def _before_fork(self, arbiter: Any, worker: Any) -> None:
        self._is_first = worker.age <= self.cfg.workers
        _freeze()
        if self._settings.server.pin_workers:
            affinity.pre_fork(arbiter, worker)

    def _started(self, worker: Any) -> None:
        if usable(self._settings.server.worker_class) != OWN:
            end_at_stop(worker.app.callable)
        accept_ending()  # for a class of workers that is not ours
        if not worker.alive:  # told to stop while it was loading: it would take the lead and the link, only to give them back
            return
        tell_link = partial(self._reports.send, "link") if self._notifier.listens else None
        self._on_start(worker.app.callable, Parent(partial(os.kill, worker.ppid, signal.SIGTERM), tell_link))
        _freeze()
        self._reports.send("accepts")

    def _ended(self, _: Any, worker: Any) -> None:
        if (app := getattr(worker.app, "callable", None)) is not None:
            self._on_stop(app)
