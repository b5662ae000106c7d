"""The base of ntfy's resources: topic, credentials, errors, CORS (hooks §13)."""

from __future__ import annotations

from functools import cached_property, partial
from typing import NoReturn

from flask import Flask, Response, current_app

from drivers import StorageError
from xmpp_rest.api.failures import of_storage
from xmpp_rest.api.foreign import SAFE, is_misused
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.ntfy.credentials import NTFY, read_credentials
from xmpp_rest.api.ntfy.errors import NtfyError, of_gateway, of_status
from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.api.ntfy.topics import HookTopic, Topic, Topics, require_name
from xmpp_rest.api.rate_limits import note_caller, note_fields
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import RETRY_AFTER, GatewayError
from xmpp_rest.http.resource import Stop

PREFLIGHT = {"Access-Control-Allow-Methods": "GET, PUT, POST", "Access-Control-Allow-Headers": "*"}
FIELDS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""What all answers have that say nothing else."""
JSON = "application/json"
IGNORED = frozenset(
    (
        "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Range", "Content-Type",
        "Range", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since",
    )
)  # fmt: skip
"""Header fields that mean nothing to ntfy."""


class Ntfy:
    """What the resources are made of. `prefix`: without a slash at its end; None: there is nothing but `/`."""

    def __init__(self, gateway: Gateway, prefix: str | None) -> None:
        self.gateway = gateway
        self.prefix = prefix
        self._names: frozenset[str] | None = None

    def names(self, app: Flask) -> frozenset[str]:
        """The first segments of all routes, which no topic may have where the prefix is `/`."""
        if self._names is None:
            firsts = (rule.rule.split("/")[1] for rule in app.url_map.iter_rules())
            self._names = frozenset(first for first in firsts if first and not first.startswith("<"))
        return self._names


class NtfyResource(ApiResource):
    """A resource of ntfy. `use`: what tokens have to be good for."""

    ignored_fields = IGNORED
    methods: tuple[str, ...] = ("GET", "OPTIONS")
    use = Use.ACCOUNT

    def __init__(self, ntfy: Ntfy) -> None:
        self.ntfy = ntfy
        self.gateway = ntfy.gateway

    @cached_property
    def parameters(self) -> Parameters:
        """Those of the header fields and the query."""
        return Parameters(self.request.headers.get, self.request.args)

    def allowed_methods(self) -> list[str]:
        return list(self.methods)

    def content_types_provided(self) -> list[tuple[str, str]]:
        return [(JSON, "to_json")]

    def options(self) -> None:
        for name, value in PREFLIGHT.items():
            self.set_field(name, value)

    def changes(self) -> bool:
        """Whether the request would change anything."""
        return self.request.method not in SAFE

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        return of_status(status).body, JSON

    def fail(self, error: NtfyError) -> NoReturn:
        """End the request with this error."""
        raise Stop(answer_error(error))

    def fail_for(self, error: GatewayError | StorageError) -> NoReturn:
        """End the request with a service's error."""
        self.fail(of_gateway(of_storage(error) if isinstance(error, StorageError) else error))


class TopicBound(NtfyResource):
    """A resource of one topic."""

    topic: Topic

    def topic_name(self) -> str:
        """The topic that is asked for."""
        name: str = self.args["topic"]
        return name

    def malformed_request(self) -> bool:
        if self.request.method != "OPTIONS":
            try:
                self.require_topic()
            except NtfyError as e:
                self.fail(e)
        return False

    def require_topic(self) -> None:
        """Raise NtfyError for what cannot be a topic."""
        name = self.topic_name()
        require_name(name)
        if self.ntfy.prefix == "" and name in self.ntfy.names(current_app):
            raise NtfyError(40010)

    def is_authorized(self) -> bool:
        if self.request.method == "OPTIONS":
            return True
        try:
            credentials = read_credentials(self._field(), self.parameters, self.request.remote_addr or "", self.use)
            self.topic = Topics(self.gateway).find(self.topic_name(), credentials)
        except NtfyError as e:
            if e.status == 401:
                raise Stop(answer_error(e, {"WWW-Authenticate": NTFY.challenge(self.gateway.settings)})) from e
            self.fail(e)
        if self.use is Use.SEND:
            self._note_limits()
        return True

    def _note_limits(self) -> None:
        environ, topic = self.request.environ, self.topic
        if isinstance(topic, HookTopic):
            note_fields(environ, partial(self.gateway.parts.hook_requests.look, topic.hook, topic.token))
        else:
            note_caller(environ, self.gateway, topic.caller, topic.field)

    def _field(self) -> str | None:
        """The Authorization field, unless a browser has added it to what a foreign page asks."""
        environ = self.request.environ
        is_ambient = self.changes() and is_misused(environ, self.gateway.settings)
        return None if is_ambient else environ.get("HTTP_AUTHORIZATION")


def answer_error(error: NtfyError, fields: dict[str, str] | None = None) -> Response:
    """An error as ntfy answers it."""
    retry = {"Retry-After": str(error.retry_after or RETRY_AFTER)} if error.status in (429, 503) else {}
    return Response(error.body, error.status, {**retry, **(fields or {})}, content_type=JSON)


