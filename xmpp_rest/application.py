"""The WSGI application: `create_app` builds it from its parts."""

from __future__ import annotations

import atexit
import logging
import os
from functools import partial
from typing import cast

from flask import Flask, Request, Response, request
from werkzeug.exceptions import BadRequest
from werkzeug.local import LocalProxy

from drivers import StorageError
from drivers.lease import RENEWAL, LeaseTaken
from xmpp_rest.answered import EXTENSION
from xmpp_rest.api import compression, cors, rate_limits, requestid
from xmpp_rest.api.apprise import routes as apprise
from xmpp_rest.api.client import routes as client
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands import routes as commands
from xmpp_rest.api.data import routes as data
from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.files import public_routes as public_files
from xmpp_rest.api.files import routes as files
from xmpp_rest.api.gotify import routes as gotify
from xmpp_rest.api.hooks import routes as hooks
from xmpp_rest.api.ntfy import routes as ntfy
from xmpp_rest.api.oauth import routes as oauth
from xmpp_rest.api.openapi import routes as openapi
from xmpp_rest.api.ops import routes as ops
from xmpp_rest.api.post_msg import routes as post_msg
from xmpp_rest.api.rest import routes as rest
from xmpp_rest.api.rooms import routes as rooms
from xmpp_rest.api.routing import Anything, HookTokenPart
from xmpp_rest.api.web import routes as web
from xmpp_rest.cli.leader_calls import offer_calls
from xmpp_rest.config.check import remarks, require_sense
from xmpp_rest.config.find import find_config
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.exit_codes import CannotStart
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.requests_in_progress import RequestsInProgress
from xmpp_rest.gateway.startup import STARTING, explained, is_lasting
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.request import WholeRequest
from xmpp_rest.logs.setup import set_up
from xmpp_rest.service.hooks.template_files import check_template
from xmpp_rest.serving.host import names_host
from xmpp_rest.serving.proxies import WSGI, TrustedProxies
from xmpp_rest.serving.synchronous import Synchronous
from xmpp_rest.serving.watched import Watched

log = logging.getLogger("xmpp_rest.server")

PROBED = frozenset({"ops.live", "ops.ready"})  # endpoints
BEGUN = "xmpp_rest.begun"  # in an environ: with which parts the request began
SPARED = frozenset({"ops.health", "ops.metrics", "ntfy.ntfyhealth"})  # answered without the storage as well


def build(settings: Settings) -> Flask:
    """The application over these settings, not yet started: `app.extensions["gateway"].start()`, or its first request, starts it.

    Raises StorageError.
    """
    gateway = Gateway(settings, offer_calls)
    app = Synchronous("xmpp_rest", static_folder=None)
    app.request_class = WholeRequest
    app.extensions["gateway"] = gateway
    app.extensions["ending"] = (gateway.end_waiting,)  # for serving/worker.py, as is the next one
    app.extensions["handing over"] = (gateway.hand_over,)
    app.extensions["loop"] = (gateway.read_by,)
    app.config["MAX_CONTENT_LENGTH"] = settings.server.body_limit
    app.url_map.merge_slashes = False  # an empty part means something in /data and /rest
    app.url_map.converters |= {"anything": Anything, "hook_token": HookTokenPart}
    app.register_blueprint(ntfy.root(gateway))
    for dialect in (
        rest, files, rooms, public_files, client, data, commands, oauth, hooks, ops, openapi, web, gotify, apprise, post_msg, ntfy,
    ):  # fmt: skip
        app.register_blueprint(dialect.blueprint(gateway))
    if settings.server.compress:
        compression.install(app)
    requestid.install(app)
    rate_limits.install(app)
    cors.install(app, lambda: gateway.settings.server.origins)
    app.before_request(partial(_begin, gateway))
    if gateway.in_progress is not None:
        app.teardown_request(partial(_end, gateway.in_progress))
    answer_failures(app)
    answers = app.extensions[EXTENSION] = gateway.answers
    app.wsgi_app = Watched(_believing(app.wsgi_app, gateway), answers)  # type: ignore[method-assign]
    return app


def _believing(app: WSGI, gateway: Gateway) -> WSGI:
    """The application, told of its clients by the proxies before it, if there are any."""
    server = gateway.settings.server
    if not server.proxies:
        return app

    def ignored(peer: str) -> None:
        text = "X-Forwarded-For of %s is ignored, because it is not in [server] proxy_networks"
        gateway.incidents.report(log, "proxy-unknown", text, peer)

    return TrustedProxies(app, server.proxies, server.proxy_networks, ignored)


def _begin(gateway: Gateway) -> Response | None:
    """Before each request: serve only as long as the storage is there, and this gateway's. PROBED are answered in any case.

    Raises BadRequest, StorageError, GatewayError.
    """
    asked = cast("LocalProxy[Request]", request)._get_current_object()  # once, as each look through the proxy costs
    environ = asked.environ
    if not names_host(environ):
        raise BadRequest("The Host field is missing, there twice, or names no host")
    if environ["REQUEST_METHOD"] == "OPTIONS" and environ.get("RAW_URI") == "*":  # RFC 9110 §9.3.7: the server as a whole
        return Response(b"", 200, {"Allow": "GET, HEAD, POST, PUT, DELETE, OPTIONS"})
    if asked.endpoint in PROBED:
        return None
    if gateway.in_progress is not None:
        environ[BEGUN] = gateway.in_progress.enter()
    try:
        gateway.start()
        gateway.parts.lease.require()
    except LeaseTaken as e:  # whatever the dialect, the answer is a problem document
        gateway.incidents.report(log, "storage-taken", "requests are refused: %s", e, level=logging.ERROR)
        detail = "Another gateway uses the storage for this domain; the log says which"
        body, content_type = render_problem(503, {"instance": asked.path, "detail": detail})
        return Response(body, 503, {"Retry-After": f"{RENEWAL:.0f}"}, content_type=content_type)
    except StorageError:
        if asked.endpoint not in SPARED:
            raise
    return None


def _end(in_progress: RequestsInProgress, _: BaseException | None) -> None:
    """After each request."""
    begun: int | None = request.environ.pop(BEGUN, None)
    if begun is not None:
        in_progress.leave(begun)


def create_app(config: str | None = None, *, start: bool = True) -> Flask:
    """The WSGI application by the configuration file `config` (default: see `config/find.py`).

    `start`: connect and serve stanzas at once in this process; with False at the first request, or when the server says so.
    While the storage cannot be reached, the application answers 503, and starts once it can. Raises CannotStart for what does not pass.
    """
    settings = None
    try:
        settings = load_settings(find_config(config))
        require_sense(settings, registry(), check_template)
        set_up(settings.server)
        for remark in remarks(settings):
            log.warning("%s", remark)
        app = build(settings)
        if start:
            gateway: Gateway = app.extensions["gateway"]
            atexit.register(gateway.stop)  # other servers than ours tell an application of no end
            _start(gateway)
    except STARTING as e:
        raise _as_told(explained(e, settings)) from None
    return app


def _start(gateway: Gateway) -> None:
    """Start it; one that is refused leaves nothing open, which would hold the end of the process up. Raises what is lasting."""
    try:
        gateway.start_in_time(is_lasting)
    except Exception:
        gateway.stop()
        raise


def _as_told(error: CannotStart) -> Exception:
    """Below gunicorn as an error whose sentence it shows without a traceback before it ends; `RuntimeError`: with --preload."""
    if not os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/"):
        return error
    from gunicorn.errors import AppImportError

    class Refused(AppImportError, RuntimeError):  # type: ignore[misc]
        """What gunicorn is told."""

    return Refused(f"xmpp-rest: {error}")
