"""A lean Flask: does once what Flask does for each request, and skips sessions, coroutines and listeners that are not there.

For each request Flask makes Werkzeug's adapter of the URL, walks through the tree of rules, collects the functions to be called before,
after and at the end from dictionaries by blueprint, and sends signals. Here the rule of a path that was asked for lately is looked up, the
adapter is made only where it is needed, and the functions are collected once for each endpoint, as Flask takes no more of them after the
first request. Processor time: `GET /health` 60 → 39 µs, `POST /rest` 146 → 117 µs, `POST /api/send_message` 335 → 290 µs
(bench/request_costs.py; decision 0036).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

from flask import Flask, Request, Response, appcontext_tearing_down, request_tearing_down
from flask.ctx import RequestContext
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy
from werkzeug.routing import MapAdapter, Rule

REMEMBERED = 1024  # paths of which the rule is remembered, in each process: about 1 MB
LONGEST = 200  # characters of such a path
Match = tuple[Rule, Mapping[str, Any]]


class NoSession(SessionInterface):
    """One empty session for all requests, that nobody can write to."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """What Flask creates for each request where there is no secret key."""
        return self._none


class RememberedMatches:
    """The rule and the variables by method and path. They do not depend on anything else of a request, such as its host."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Match] = {}

    def get(self, method: str, path: str) -> Match | None:
        """The rule, and variables of one's own; None for a path that was not asked for lately."""
        known = self._known.get((method, path))
        return None if known is None else (known[0], dict(known[1]))

    def add(self, method: str, path: str, found: Match) -> None:
        """Remember what was found. All are forgotten when there are too many: those that are asked for often are soon back."""
        if len(path) > LONGEST:
            return
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[method, path] = found[0], dict(found[1])


class LazyAdapter:
    """The URL adapter of a request: remembers matches, and makes Werkzeug's own for everything else, such as `url_for`."""

    def __init__(self, matches: RememberedMatches, make: Callable[[], MapAdapter | None], environ: Mapping[str, Any]) -> None:
        self._matches = matches
        self._make = make
        self._environ = environ

    def match(self, *, return_rule: bool) -> Match:
        """The rule, and the variables of the path. Raises HTTPException, which is not remembered."""
        method, path = self._environ["REQUEST_METHOD"], self._environ.get("PATH_INFO", "")
        if "HTTP_UPGRADE" in self._environ:  # Werkzeug refuses a WebSocket where the rule is not for one
            return self._match()
        found = self._matches.get(method, path)
        if found is None:
            found = self._match()
            self._matches.add(method, path, found)
        return found

    def _match(self) -> Match:
        found: Match = self._adapter.match(return_rule=True)
        return found

    @cached_property
    def _adapter(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class CollectedFunctions(NamedTuple):
    """The functions around the requests of one blueprint, the application's included, each in the order in which Flask calls them."""

    before: Sequence[Callable[[], Any]]
    after: Sequence[Callable[[Response], Any]]
    teardown: Sequence[Callable[[BaseException | None], Any]]


class MatchingRule(Rule):
    """A URL rule that compiles the functions for `url_for` at their first call; Werkzeug compiles both of each rule as it is added.

    The gateway never calls them. With 45 rules that was 10 of the 17 ms that building the application took.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_builder = super()._compile_builder
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(compile_builder(append_unknown))
            return compiled[0](rule, **values)

        return build


class Synchronous(Flask):
    """A Flask application without sessions, all of whose functions are plain ones, and whose rules are the same for all hosts."""

    session_interface = NoSession()
    url_rule_class = MatchingRule

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._matches = RememberedMatches()
        self._hooks: dict[str | None, CollectedFunctions] = {}
        super().__init__(*args, **kwargs)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the rule of a request. Which hosts are right is for `serving/host.py` to say."""
        if request is None or self.url_map.host_matching or self.subdomain_matching or self.config["TRUSTED_HOSTS"] is not None:
            return super().create_url_adapter(request)
        made = LazyAdapter(self._matches, lambda: super(Synchronous, self).create_url_adapter(request), request.environ)
        return cast("MapAdapter", made)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: Flask looks at each, for each request, whether it is a coroutine's."""
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        """What a function before the request answers in its place; None to go on."""
        if self.url_value_preprocessors:
            return super().preprocess_request()
        for function in self._hooks_of(_context()).before:
            answer: ResponseReturnValue | None = function()
            if answer is not None:
                return answer
        return None

    def process_response(self, response: Response) -> Response:
        """The response, as the functions after the request return it."""
        context = _context()
        if context._after_request_functions:
            return super().process_response(response)
        for function in self._hooks_of(context).after:
            response = function(response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Call the functions at the end of the request, and the listeners, if there are any."""
        for function in self._hooks_of(_context()).teardown:
            function(exc)
        if request_tearing_down.receivers:
            request_tearing_down.send(self, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        """As Flask does it, where there is anything to call."""
        if self.teardown_appcontext_funcs or appcontext_tearing_down.receivers:
            super().do_teardown_appcontext(exc)

    def _hooks_of(self, context: RequestContext) -> CollectedFunctions:
        rule = context.request.url_rule
        endpoint = None if rule is None else rule.endpoint  # what Flask finds the blueprint in, each time that it is asked for
        known = self._hooks.get(endpoint)
        if known is None:
            outwards = (*context.request.blueprints, None)
            known = self._hooks[endpoint] = CollectedFunctions(
                [function for name in reversed(outwards) for function in self.before_request_funcs.get(name, ())],
                [function for name in outwards for function in reversed(self.after_request_funcs.get(name, []))],
                [function for name in outwards for function in reversed(self.teardown_request_funcs.get(name, []))],
            )
        return known


def _context() -> RequestContext:
    return cast("LocalProxy[RequestContext]", request_ctx)._get_current_object()
