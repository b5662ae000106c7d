"""`/rest/files`: sends a file to people and rooms by one request, and lists one's own (files §2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn
from xml.etree.ElementTree import Element

from flask import Response

from drivers import StorageError
from xmpp_rest.api.files.answers import PRIVATE, described, listed, told
from xmpp_rest.api.files.body import BodyPieces, BrokenBody
from xmpp_rest.api.files.incoming import TakenFile
from xmpp_rest.api.files.multipart import BadForm
from xmpp_rest.api.files.parameters import BadParameter, FileRequest, ParameterReader, nick_in_field
from xmpp_rest.api.files.resource import FilesResource
from xmpp_rest.api.rate_limits import take
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.idempotent import KEY_FIELD, answer_once
from xmpp_rest.api.rest.prefer import wanted_wait
from xmpp_rest.api.rest.refused import failure_for, fields_of
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.http.request import body_coding
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.messages import FileRecipient, FileResult, FileWords
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.shared_file import SharedFile
from xmpp_rest.service.files.uploads import IncomingFile, Offered
from xmpp_rest.threads.waits import Wait

UPLOADED = (("*", "from_body"),)


class FileUploads(FilesResource):
    """GET: one's own files. POST: stores a file, and sends it."""

    uses = {"POST": Use.SEND}
    field_readers = {"Content-Type": lambda _: ""}  # of the file, which may be of any type, and no type at all

    actor_jid: JID
    recipients: Sequence[FileRecipient] = ()

    @property
    def takes_foreign(self) -> bool:
        return self.request.method == "POST"  # nothing of theirs is stored here

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "POST"]

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return UPLOADED

    # GET

    def to_json(self) -> NoReturn:
        files, owner = self.gateway.parts.files, self.whose()
        try:
            value = {
                "files": [listed(files, file) for file in files.of(owner)],
                "used": files.used(owner),
                "quota": self.gateway.settings.files.quota,
            }
        except FileRefused as e:
            self.refuse_for(e)
        raise Stop(Response(dump_json(value), 200, PRIVATE, content_type=JSON))

    # POST

    def from_body(self) -> NoReturn:
        """Take the request in the order of files §2.2."""
        try:
            self._upload()
        except BadParameter as e:
            self.refuse(422, str(e), e.condition)
        except BadForm as e:
            self.refuse(e.status, str(e), "bad-request")
        except BrokenBody as e:
            self.refuse(400, str(e), "bad-request")
        except FileRefused as e:
            self.refuse_for(e)
        except GatewayError as e:
            self.fail_for(e)
        except StorageError as e:
            self.fail_storage(e)

    def _upload(self) -> NoReturn:
        environ, settings = self.request.environ, self.gateway.settings
        parameters = ParameterReader(settings.files.expire, settings.rest.stanza_size_limit)
        parameters.add_query(environ.get("QUERY_STRING", ""))
        if (nick := environ.get("HTTP_NICK")) is not None and not parameters.request.nick:
            parameters.add("nick", nick_in_field(nick))
        asked = parameters.request
        self.actor_jid = self.actor(asked.of, asked.sender)
        body = BodyPieces(environ, body_coding(environ))
        content_type, disposition = str(environ.get("CONTENT_TYPE", "")), environ.get("HTTP_CONTENT_DISPOSITION", "")
        with TakenFile(parameters, content_type, disposition, body, self, self.services.files.fetching) as taken:
            self._require_addresses(asked)
            self._require_scope(asked, complete=not taken.is_form)
            self._require_access()
            self._charge()
            self.services.files.uploads.require_room(self.actor_jid, taken.least)
            file, request = taken.take()
            self._require_addresses(request)
            self._require_scope(request, complete=True)
            self._enter(request)
            key = environ.get(KEY_FIELD)
            if key is None:
                self._send(file, request)
            self.received = self._fingerprint(file, request)
            answer_once(self, key, lambda: self._send(file, request))
        raise AssertionError("it was answered")

    def _require_addresses(self, request: FileRequest) -> None:
        """Raise BadParameter for a name without a domain."""
        for to in request.to:
            try:
                self.services.sending.require_sendable(Element("message"), to)
            except GatewayError as e:
                raise BadParameter("to", e.text, "improper-addressing") from e

    def _require_scope(self, request: FileRequest, *, complete: bool) -> None:
        """A token that is for messages alone may upload what it sends. Stops with 403."""
        if self.caller.recipients is None:
            return
        if (complete and not request.to) or not all(map(self.caller.may_send_to, request.to)):
            self.fail(failure("scope", error=f"it is good for messages to {', '.join(self.caller.recipients)[:500]}"))

    def _require_access(self) -> None:
        """Raise FileRefused for those who may not have files here. Files of accounts elsewhere are with their own servers."""
        if self.caller.kind is CallerKind.ACCOUNT and not self.caller.admin:
            self.gateway.parts.files.require_access(self.actor_jid)

    def _charge(self) -> None:
        if not take(self.request.environ).allowed:
            self.fail(failure("rate"))

    def prepare(self, request: FileRequest) -> None:
        """Have the rooms entered that are known by now."""
        self._require_addresses(request)
        self._require_scope(request, complete=False)
        self._enter(request)

    def begin(self, request: FileRequest, name: str, media_type: str, size: int | None) -> IncomingFile:
        """Begin to take the file."""
        return self.services.files.uploads.begin(self.actor_jid, name, media_type, size=size, expire=request.expire)

    def _enter(self, request: FileRequest) -> None:
        """Have the sender be in the rooms that are named and were not before. Stops where there is nobody to send it to."""
        known = {one.to: one for one in self.recipients}
        new = [to for to in request.to if to not in known]
        if new:
            found = self.services.files.rooms.recipients(self.actor_jid, new, request.type, request.nick)
            known |= {one.to: one for one in found}
        self.recipients = [known[to] for to in request.to]
        first = next((one.refused for one in self.recipients if one.refused is not None), None)
        if first is not None and all(one.refused is not None for one in self.recipients):
            error = failure_for(first)
            more = {name: value for name, value in (("by", error.by), ("location", error.location)) if value}
            seconds = fields_of(error).get("Retry-After")
            retry = None if seconds is None else int(seconds)
            self.refuse(error.status, error.text, error.condition, retry, to=str(self.recipients[0].to), **more)

    def _fingerprint(self, file: IncomingFile, request: FileRequest) -> bytes:
        told = request._replace(to=tuple(map(str, request.to)), sender=str(request.sender), of=str(request.of))  # type: ignore[arg-type]  # as text
        return json.dumps([told, file.sha256]).encode()

    def _send(self, file: IncomingFile, request: FileRequest) -> NoReturn:
        offered, wait = file.offer(), self._wait()
        try:
            results = self._tell(offered, request, wait) if self.recipients else []
        except GatewayError:  # nothing was sent
            if offered.id is not None:
                self.gateway.parts.files.delete(offered.id)
            raise
        value = described(offered) | {"messages": [told(result) for result in results]}
        applied = {} if wait is None else {"Preference-Applied": f"wait={wait.seconds:g}"}
        raise Stop(Response(dump_json(value), 201, PRIVATE | {"Location": offered.url} | applied, content_type=JSON))

    def _tell(self, offered: Offered, request: FileRequest, wait: Wait | None) -> list[FileResult]:
        is_inline = self.gateway.parts.files.is_inline(offered.media_type)
        shared = SharedFile(*offered[:5], is_inline, request.width, request.height)
        return self.services.files.messages.send(
            self.actor_jid, self.recipients, shared, FileWords(request.caption, request.nick, wait)
        )

    def _wait(self) -> Wait | None:
        seconds = wanted_wait(self.request.environ, self.gateway.settings.rest.iq_max_timeout)
        return None if not seconds else Wait(seconds, ClientConnection(self.request.environ).gone)
