"""The public side of files: `/files/{id}/{name}` (files §3, §4.2). Who knows the URL may read; a slot's token lets in its upload."""

from __future__ import annotations

import time
import unicodedata
from datetime import UTC, datetime
from typing import NoReturn

from flask import Response

from xmpp_rest.api.files.body import BodyPieces, BrokenBody
from xmpp_rest.api.files.content import PIECE, StoredContent
from xmpp_rest.api.files.refusal import refusal
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.api.routing import segments
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.resource import Stop
from xmpp_rest.service.files.names import disposition, essence, media_type_of
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.values import SlotClaims, StoredFile

METHODS = ("GET", "HEAD", "OPTIONS", "PUT")
LONGEST_AGE = 31536000  # seconds
LONGEST_PATH = 2048  # characters: a name of 255 bytes has 765 in a URL
DIGITS = 18  # of a size
NOT_THERE = "There is no file at this address"
NO_TOKEN = "Send the Authorization field of the slot: Bearer and its token"  # noqa: S105  # a sentence
WRONG_TOKEN = "This is not the token of this file's slot, or its time is over; ask for another slot"  # noqa: S105  # a sentence


def _seconds_left(file: StoredFile) -> int:
    """Seconds until it goes, as far as caches are told."""
    return LONGEST_AGE if file.expires is None else max(0, min(LONGEST_AGE, int(file.expires - time.time())))


class PublicFile(ApiResource):
    """One file, or the slot of one."""

    head_as_get = True
    ignored_fields = frozenset({"Accept", "Content-Type"})
    gateway: Gateway
    _file: StoredFile | None = None  # that which is asked for, or has been uploaded already
    _slot: SlotClaims | None = None  # whose token came, and is good

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def allowed_methods(self) -> list[str]:
        return list(METHODS)

    def refuse(self, error: FileRefused) -> NoReturn:
        """End the request."""
        raise Stop(refusal(error))

    # what the path names

    def pair(self) -> tuple[str, str] | None:
        """Id and name, if the path is exactly those; one form of Unicode is as good as another."""
        path = self.request.path
        parts = segments(self.request) if not path.endswith("/") and len(path) <= LONGEST_PATH else []
        return (parts[1], unicodedata.normalize("NFC", parts[2])) if len(parts) == 3 else None

    def is_authorized(self) -> bool | str:
        """Of a PUT: the token of the slot; without any, 401 for an open one, else 404."""
        if self.request.method != "PUT":
            return True
        files, pair = self.gateway.parts.files, self.pair()
        scheme, _, token = self.request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if pair is None:
            self._not_there()
        if scheme.lower() == "bearer":
            self._slot = files.claims_of(token.strip())
        is_open = files.is_open(pair[0])
        if self._slot is None and not is_open:
            self._not_there()
        if not scheme:
            self.problem["detail"] = NO_TOKEN
            return "Bearer"
        return True

    def forbidden(self) -> bool:
        """Of a PUT: another slot's token, or one whose time is over."""
        if self.request.method != "PUT":
            return False
        slot = self._slot
        self.problem["detail"] = WRONG_TOKEN
        if slot is None or (slot.id, slot.name) != self.pair() or slot.is_over:
            return True
        del self.problem["detail"]
        return False

    def valid_content_headers(self) -> bool:
        """Of a PUT: its length, size, type and coding are those of the slot."""
        slot, environ = self._slot, self.request.environ
        if self.request.method != "PUT" or slot is None:
            return True
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isascii() and length.isdigit()):
            self.refuse(FileRefused(411, "bad-request", "Send Content-Length: an upload cannot come in chunks"))
        if len(length) > DIGITS or int(length) != slot.size:
            self.refuse(FileRefused(413, "bad-request", f"The slot is for {slot.size} bytes, and no other number", max_size=slot.size))
        if "HTTP_CONTENT_RANGE" in environ:
            self.refuse(FileRefused(400, "bad-request", "An upload cannot be resumed; send all of it"))
        kind = environ.get("CONTENT_TYPE", "")
        if slot.media_type and kind and essence(media_type_of(kind, slot.name)) != essence(slot.media_type):
            self.refuse(FileRefused(415, "bad-request", f"The slot is for {slot.media_type}"))
        if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
            self.refuse(FileRefused(415, "bad-request", "Send the file as it is, without Content-Encoding"))
        return True

    # what is there

    def resource_exists(self) -> bool:
        pair = self.pair()
        if pair is None:
            return self._missing()
        self._file = file = self.gateway.parts.files.get(pair[0])
        if self.request.method == "PUT":
            return file is not None
        if file is None or file.name != pair[1]:
            return self._missing()
        self.set_field("Cache-Control", f"public, max-age={_seconds_left(file)}, immutable")
        return True

    def _missing(self) -> bool:
        self.problem["detail"] = NOT_THERE
        return False

    def _not_there(self) -> NoReturn:
        body, content_type = render_problem(404, {"detail": NOT_THERE})
        raise Stop(Response(body, 404, content_type=content_type))

    def content_types_provided(self) -> list[tuple[str, str]]:
        return [("application/octet-stream", "to_content")]

    def ranges_provided(self) -> list[tuple[str, str]]:
        return [("bytes", "auto")]

    def generate_etag(self) -> tuple[str, str] | None:
        return None if self._file is None else ("strong", self._file.sha256)

    def last_modified(self) -> datetime | None:
        return None if self._file is None else datetime.fromtimestamp(int(self._file.created), UTC)

    def to_content(self) -> StoredContent:
        file = self._file
        opened = None if file is None else self.gateway.parts.files.open(file.id)
        if opened is None:  # it was removed just now
            self._not_there()
        inline = self.gateway.parts.files.is_inline(opened.file.media_type)
        self.set_field("Content-Type", opened.file.media_type)
        self.set_field("Content-Disposition", disposition(opened.file.name, inline=inline))
        return StoredContent(opened.content, 0, opened.file.size)

    # PUT

    def content_types_accepted(self) -> list[tuple[str, str]]:
        return [("*", "take")]

    def is_conflict(self) -> bool:
        """Whether the slot was used already."""
        slot = self._slot
        if self._file is None and slot is not None and self.gateway.parts.files.is_open(slot.id):
            return False
        self.problem["detail"] = "The slot was used; what was uploaded stays as it is"
        return True

    def take(self) -> bool:
        """Store what comes; readable at once."""
        slot, environ = self._slot, self.request.environ
        assert slot is not None
        body = BodyPieces(environ)
        with self.gateway.parts.files.begin_slot(slot.id, environ.get("CONTENT_TYPE", "")) as upload:
            try:
                while piece := body.read(PIECE):
                    upload.write(piece)
            except BrokenBody as e:
                self.refuse(FileRefused(400, "bad-request", str(e)))
            upload.commit()
        return True
