"""A file that is published: a body with `Filename` is stored, told of by a message, and sent after it (hooks §13.2, files §2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from flask import Request

from xmpp_rest.api.files.body import BodyPieces, BrokenBody
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.ntfy.errors import OF_STATUS, NtfyError
from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.api.ntfy.publication import Publication, PublishedRequest, read_publication
from xmpp_rest.api.ntfy.sending import Publisher, SetField
from xmpp_rest.api.ntfy.topics import HookTopic, Topic
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.http.request import body_coding
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.messages import FileRecipient, FileWords
from xmpp_rest.service.files.names import clean_name
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.shared_file import SharedFile
from xmpp_rest.service.files.uploads import Offered
from xmpp_rest.service.hooks.published import PublishedMessage

OWN = ("attach", "filename")
"""Members that the gateway itself gives a message with a file: they are told, and not said."""


class FilePublisher:
    """Publishes the body of one request as a file. Methods raise NtfyError, GatewayError, StorageError; then nothing was sent."""

    def __init__(self, gateway: Gateway, request: Request, parameters: Parameters, set_field: SetField) -> None:
        self._gateway = gateway
        self._parts = gateway.parts
        self._request = request
        self._parameters = parameters
        self._name = clean_name(parameters.text("filename"))
        self._publish: Callable[[Topic, Publication], PublishedMessage] = lambda topic, said: Publisher(
            gateway, request, b"", set_field
        ).send(topic, lambda: said)

    @property
    def is_offered(self) -> bool:
        """Whether there is a place for files."""
        settings = self._gateway.settings
        return bool(settings.files.domain) or settings.link.kind == "component"

    def send(self, topic: Topic) -> PublishedMessage:
        """Store the file, send the message, then the file."""
        if isinstance(topic, HookTopic) and topic.hook.secret is not None:
            raise NtfyError(40014, "the requests of this hook are signed, and files are not")
        self._read("https://localhost/")  # what is wrong is told before the body is read
        try:
            offered = self._stored(topic)
        except FileRefused as e:
            raise _of_file(e) from e
        except BrokenBody as e:
            raise NtfyError(40000, str(e)) from e
        publication = self._read(offered.url)
        said = {name: value for name, value in publication.members.items() if name not in OWN}
        try:
            message = self._publish(topic, replace(publication, members=said))
        except BaseException:
            self._remove(offered)
            raise
        self._send(topic, offered)
        return replace(message, members=publication.members)

    def _read(self, url: str) -> Publication:
        given = {"attach": url, "filename": self._name}
        if not self._parameters.text("message"):
            given["message"] = f"You received a file: {self._name}"  # COMPAT ntfy
        settings = self._gateway.settings
        request = PublishedRequest(self._parameters, given)
        publication = read_publication(request, time.time(), days=settings.limits.schedule_days, longest=settings.hooks.text_limit)
        if publication.at is not None or publication.format != "ntfy":
            raise NtfyError(40014, "a file is sent at once, and goes with no template")
        return publication

    def _stored(self, topic: Topic) -> Offered:
        owner, environ = self._owner(topic), self._request.environ
        uploads = self._parts.file_sending.uploads
        body = BodyPieces(environ, body_coding(environ))
        size = None if body.is_coded else body.length
        uploads.require_room(owner, size or 0)
        file = uploads.begin(owner, self._name, str(environ.get("CONTENT_TYPE", "")), size=size, expire=None)
        try:
            while piece := body.read():
                file.write(piece)
            if not file.size:
                raise NtfyError(40014, "the file is empty")
            return file.offer()
        finally:
            file.abort()

    def _owner(self, topic: Topic) -> JID:
        """Whose file it is, who has to be among those that may upload. Raises FileRefused."""
        if isinstance(topic, HookTopic):
            owner, may = topic.hook.owner, topic.hook.owner == self._gateway.settings.hooks.address
        else:
            owner, may = topic.caller.jid, topic.caller.admin or topic.caller.kind is CallerKind.COMPONENT
        if not may:
            self._parts.files.require_access(owner)
        return owner

    def _send(self, topic: Topic, offered: Offered) -> None:
        shared = SharedFile(*offered[:5], self._parts.files.is_inline(offered.media_type))
        if isinstance(topic, HookTopic):
            self._parts.hook_sender.send_file(topic.hook, frozenset(map(str, topic.hook.targets)), shared)
        else:
            recipients = (FileRecipient(topic.to, "chat"),)
            self._parts.file_sending.messages.send(topic.caller.jid, recipients, shared, FileWords())

    def _remove(self, offered: Offered) -> None:
        if offered.id is not None:
            self._parts.files.delete(offered.id)


def _of_file(error: FileRefused) -> NtfyError:
    code = {413: 41301, 429: 42901, 507: 50301, 504: 50201, 501: 40014}.get(error.status) or OF_STATUS.get(error.status, 50001)
    return NtfyError(code, error.detail, error.retry_after)
