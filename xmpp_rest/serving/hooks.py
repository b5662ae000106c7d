"""gunicorn's hooks of requests, `pre_request` and `post_request`, where a configuration sets them."""

from __future__ import annotations

from typing import Any

from gunicorn import config

from xmpp_rest.serving.request import Peer, Request
from xmpp_rest.serving.response_writer import ResponseWriter


class HookedRequest:
    """A request as hooks of gunicorn know it."""

    def __init__(self, request: Request, peer: Peer) -> None:
        head = request.head
        self.method = head.method
        self.uri = head.target
        self.path, _, query = head.target.partition("?")
        self.query = query.partition("#")[0]
        self.version = head.version
        self.headers = head.fields
        self.scheme = head.scheme
        self.body = request.body
        self.remote_addr = self.peer_addr = peer


class RequestHooks:
    """Calls the hooks. `worker`: what they get as the worker."""

    def __init__(self, cfg: Any, worker: Any, log: Any) -> None:
        self._worker = worker
        self._log = log
        self._before = None if cfg.pre_request is config.PreRequest.default else cfg.pre_request
        self._after = None if cfg.post_request is config.PostRequest.default else cfg.post_request

    def before(self, request: Request, peer: Peer) -> None:
        """A request is about to be served. Raises what the hook raises: the request is answered with 500 then, as by gunicorn."""
        if self._before is not None:
            self._before(self._worker, HookedRequest(request, peer))

    def after(self, request: Request, peer: Peer, environ: dict[str, Any], answer: ResponseWriter | None) -> None:
        """An answer is complete, or as complete as it will be; None: nothing was answered."""
        if self._after is None:
            return
        try:
            self._after(self._worker, HookedRequest(request, peer), environ, answer)
        except Exception:
            self._log.exception("Exception in post_request hook")
