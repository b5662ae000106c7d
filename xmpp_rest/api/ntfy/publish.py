"""Publishing: a body at a topic, JSON at the prefix and at `/`, and GET with its parameters in the query (hooks §13.2)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NoReturn

from flask import Response, current_app
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound, RequestEntityTooLarge

from drivers import StorageError
from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.files import FilePublisher
from xmpp_rest.api.ntfy.messages import line, shown
from xmpp_rest.api.ntfy.publication import Publication, PublishedRequest, checked_members, read_object, read_publication
from xmpp_rest.api.ntfy.resource import JSON, TopicBound
from xmpp_rest.api.ntfy.sending import Publisher
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.request import BadCoding, UnsupportedCoding, read_body
from xmpp_rest.http.resource import Stop, SwitchHandler
from xmpp_rest.service.hooks.published import PublishedMessage

PREFETCHING = ("HTTP_PURPOSE", "HTTP_SEC_PURPOSE", "HTTP_X_MOZ")


class Publish(TopicBound):
    """`POST` and `PUT` to a topic: the body is the message, whatever its type."""

    methods: tuple[str, ...] = ("OPTIONS", "POST", "PUT")
    use = Use.SEND
    too_large = 41301
    may_be_file = True
    """Whether the body may be a file: with its name."""

    def content_types_accepted(self) -> tuple[tuple[str, str], ...]:
        return (("*", "publish"),)

    @cached_property
    def body(self) -> bytes:
        """The body as it came. Raises NtfyError."""
        limit = self.gateway.settings.hooks.size_limit
        if (self.request.content_length or 0) > limit:
            raise NtfyError(self.too_large)
        try:
            return read_body(self.request, limit)
        except RequestEntityTooLarge as e:
            raise NtfyError(self.too_large) from e
        except (UnsupportedCoding, BadCoding) as e:  # nobody can read it
            raise NtfyError(40014, str(e.description)) from e
        except BadRequest as e:  # it broke off
            raise NtfyError(40000, str(e.description)) from e

    def published(self) -> PublishedRequest:
        """What the request brings. Raises NtfyError."""
        return PublishedRequest(self.parameters, {}, self.body)

    def signed(self) -> bytes:
        """What a signature is made of, and a repetition is told by."""
        return self.body

    def publish(self) -> NoReturn:
        """Send the message, and answer with it."""
        try:
            message = self._sent()
        except NtfyError as e:
            self.fail(e)
        except (GatewayError, StorageError) as e:
            self.fail_for(e)
        body = line(shown(message, self.topic.name, self.gateway.settings.ntfy.cache))
        raise Stop(Response(body, 200, content_type=JSON))

    def _sent(self) -> PublishedMessage:
        if self.may_be_file and self.parameters.text("filename") and not self.parameters.text("attach"):
            files = FilePublisher(self.gateway, self.request, self.parameters, self.set_field)
            if files.is_offered:
                return files.send(self.topic)
        return Publisher(self.gateway, self.request, self.signed(), self.set_field).send(self.topic, self.read)

    def read(self) -> Publication:
        """What is to be said. Raises NtfyError."""
        settings = self.gateway.settings
        return read_publication(self.published(), time.time(), days=settings.limits.schedule_days, longest=settings.hooks.text_limit)


class PublishByGet(Publish):
    """`GET …/publish`, `/send`, `/trigger`: for what can do nothing else. Not for browsers that only look what is there."""

    methods = ("GET", "OPTIONS")
    may_be_file = False

    def allowed_methods(self) -> list[str]:
        said = " ".join(str(self.request.environ.get(name, "")) for name in PREFETCHING).lower()
        return ["OPTIONS"] if "prefetch" in said or "preview" in said else list(self.methods)

    def changes(self) -> bool:
        return True

    def published(self) -> PublishedRequest:
        return PublishedRequest(self.parameters, {})

    def signed(self) -> bytes:
        return b""

    def to_json(self) -> NoReturn:
        self.publish()


class PublishAsJson(Publish):
    """`POST` and `PUT` to the prefix: the message as JSON, with its topic."""

    too_large = 41303
    may_be_file = False

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """The members of the message. Raises NtfyError."""
        return checked_members(read_object(self.body))

    def topic_name(self) -> str:
        return str(self.given.get("topic", ""))

    def published(self) -> PublishedRequest:
        return PublishedRequest(self.parameters, self.given)


class PublishAtRoot(PublishAsJson):
    """`POST` and `PUT` to `/`, as Apprise sends it, which knows no path: a message if it is JSON with a topic, else what `/` answers."""

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST", "PUT"] if self.ntfy.prefix == "" else ["POST", "PUT"]

    def require_topic(self) -> None:
        if self.ntfy.prefix != "" and not self._is_message():
            raise SwitchHandler(self._as_it_was)
        super().require_topic()

    def _is_message(self) -> bool:
        try:
            return "topic" in read_object(self.body)
        except NtfyError as e:
            if e.code != 40024:
                raise
        return False

    def _as_it_was(self) -> ResponseReturnValue:
        """The answer of the page that is there, or that there is nothing."""
        request = self.request
        for rule in current_app.url_map.iter_rules():
            if rule.rule == "/" and rule.methods is None:
                request.url_rule = rule
                return current_app.dispatch_request()
        request.url_rule = None
        raise NotFound
