"""Reading topics: polls and streams, as lines of JSON or as server-sent events (hooks §13.3)."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NoReturn

from flask import Response

from drivers import StorageError
from xmpp_rest.api.eventsource import FIELDS, Manner, Readers, event_stream
from xmpp_rest.api.ntfy.archived import AccountMessages, as_message, is_incoming
from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.filters import Filters, read_filters
from xmpp_rest.api.ntfy.messages import line, notice, shown
from xmpp_rest.api.ntfy.resource import JSON, NtfyResource, TopicBound
from xmpp_rest.api.ntfy.since import Since, chosen, read_since
from xmpp_rest.api.ntfy.topics import AccountTopic, HookTopic
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.resource import Stop
from xmpp_rest.http.sse import Framing
from xmpp_rest.service.hooks.published import PublishedMessage, address_of, members_of
from xmpp_rest.service.streams.registry import Event

KEEPALIVE = 45.0  # seconds of silence
Shown = Mapping[str, Any]


class Read(TopicBound):
    """What is read of a topic."""

    def require_topic(self) -> None:
        if "," in self.topic_name():  # several topics
            raise NtfyError(40401)
        super().require_topic()

    def is_authorized(self) -> bool:
        authorized = super().is_authorized()
        if self.request.method != "OPTIONS" and isinstance(self.topic, AccountTopic) and self.topic.to != self.topic.caller.jid:
            self.fail(NtfyError(40301))
        return authorized


class ReadAuth(Read):
    """Tells whether the caller may read."""

    def to_json(self) -> bytes:
        return line({"success": True})


class ReadMessages(Read):
    """The messages of a topic; with `poll` what is there, else also what comes."""

    media: ClassVar[str]

    @abstractmethod
    def frame(self, told: Shown) -> bytes:
        """What a stream says, as text."""

    def content_types_provided(self) -> list[tuple[str, str]]:
        return [(self.media, "to_messages")]

    def to_messages(self) -> NoReturn:
        try:
            now = time.time()
            poll = self.parameters.is_true("poll")
            since = read_since(self.parameters.text("since"), now, poll=poll)
            filters = read_filters(self.parameters)
            body: Any = self._there(since, filters, now) if poll else self._stream(since, filters, now)
        except NtfyError as e:
            self.fail(e)
        except (GatewayError, StorageError) as e:
            self.fail_for(e)
        raise Stop(Response(body, 200, FIELDS, content_type=self.media))

    def _there(self, since: Since, filters: Filters, now: float) -> bytes:
        messages = self._kept(since, now) if isinstance(self.topic, HookTopic) else self._archived().poll(since, now)
        return b"".join(self._written(messages, filters))

    def _written(self, messages: list[PublishedMessage], filters: Filters) -> Iterator[bytes]:
        for message in messages:
            told = self._shown(message)
            if filters.fit(told):
                yield self.frame(told)

    def _kept(self, since: Since, now: float) -> list[PublishedMessage]:
        assert isinstance(self.topic, HookTopic)
        kept = self.gateway.parts.published.kept(self.topic.hook, scheduled=self.parameters.is_true("scheduled"))
        return chosen(kept, since, now)

    def _archived(self) -> AccountMessages:
        assert isinstance(self.topic, AccountTopic)
        return AccountMessages(self.gateway.parts.archive, self.topic.to)

    def _shown(self, message: PublishedMessage) -> dict[str, Any]:
        return shown(message, self.topic.name, self.gateway.settings.ntfy.cache)

    def _stream(self, since: Since, filters: Filters, now: float) -> Iterator[bytes]:
        if isinstance(self.topic, HookTopic):
            return self._stream_of_hook(self.topic, since, filters, now)
        topic = self.topic

        def write(event: Event) -> bytes | None:
            told = self._shown(as_message(event.id, event.when, event.stanza))
            return self.frame(told) if filters.fit(told) else None

        after = self._archived().place(since, now)
        readers = Readers(topic.to, is_incoming, write, "hooks", self.gateway.parts.streams)
        manner = Manner(lambda: self._framing(b""), KEEPALIVE)
        return event_stream(self.gateway, self.request.environ, readers, after, topic.admission, manner)

    def _stream_of_hook(self, topic: HookTopic, since: Since, filters: Filters, now: float) -> Iterator[bytes]:
        """The stream is open before what is kept is read: what comes in between comes by both, and is told once."""
        told_before: set[str] = set()

        def write(event: Event) -> bytes | None:
            told = self._shown(PublishedMessage(event.id, event.when, members_of(event.stanza)))
            return self.frame(told) if event.id not in told_before and filters.fit(told) else None

        def framing() -> Framing:
            kept = self._kept(since, now)
            told_before.update(message.id for message in kept if message.when <= now)
            return self._framing(b"".join(self._written(kept, filters)))

        readers = Readers(address_of(topic.hook), lambda _: True, write, "hooks", self.gateway.parts.streams)
        manner = Manner(framing, KEEPALIVE, is_session=False)
        return event_stream(self.gateway, self.request.environ, readers, None, topic.admission, manner)

    def _framing(self, first: bytes) -> Framing:
        def told(event: str) -> bytes:
            return self.frame(notice(event, self.topic.name, time.time()))

        return Framing(told("open") + first, lambda: told("keepalive"), lambda _: b"")


class ReadLines(ReadMessages):
    """One line of JSON for each message."""

    media = "application/x-ndjson; charset=utf-8"

    def frame(self, told: Shown) -> bytes:
        return line(told)


class ReadEvents(ReadMessages):
    """Server-sent events; what is not a message has a name."""

    media = "text/event-stream; charset=utf-8"

    def frame(self, told: Shown) -> bytes:
        named = b"" if told["event"] == "message" else f"event: {told['event']}\n".encode()
        return named + b"data: " + line(told) + b"\n"


class NtfyHealth(NtfyResource):
    """Whether messages could be taken: whether the storage answers."""

    methods = ("GET", "HEAD", "OPTIONS")

    def to_json(self) -> bytes:
        try:
            self.gateway.driver.check()
        except StorageError:
            raise Stop(Response(line({"healthy": False}), 503, {"Retry-After": "5"}, content_type=JSON)) from None
        return line({"healthy": True})


class NothingThere(NtfyResource):
    """What is not offered below the prefix."""

    methods = ("GET", "OPTIONS", "POST", "PUT")

    def malformed_request(self) -> bool:
        if self.request.method != "OPTIONS":
            self.fail(NtfyError(40401))
        return False
