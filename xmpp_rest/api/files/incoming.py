"""Takes the file of a request: from the body as it is, or from the part of a form (files §2.1, §2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from werkzeug.http import parse_options_header

from xmpp_rest.api.files.body import BodyPieces
from xmpp_rest.api.files.multipart import BadForm, FormField, FormFile, read_form
from xmpp_rest.api.files.named import chosen_name, name_in_disposition, name_in_url
from xmpp_rest.api.files.parameters import BadParameter, FileRequest, ParameterReader
from xmpp_rest.service.files.fetching import BadUrl, FetchedHead, FileFetching
from xmpp_rest.service.files.names import media_type_of
from xmpp_rest.service.files.uploads import IncomingFile

FORM = "multipart/form-data"
AROUND = 64 << 10  # bytes of a form beside its file, as far as they are known before: they do not count for the size of the file
EMPTY = "The file is empty: send some bytes as the body, or as a part of a form with a file name"


class FileBeginning(Protocol):
    """What is done once it is known whom the file is for. Raises FileRefused, Stop."""

    def prepare(self, request: FileRequest) -> None:
        """Have the rooms entered that are known by now."""

    def begin(self, request: FileRequest, name: str, media_type: str, size: int | None) -> IncomingFile:
        """Begin to take the file."""


class TakenFile:
    """The file of one request, taken whole: its bytes, and what it is. Used as a context, at whose end it is gone unless it was offered."""

    def __init__(
        self,
        parameters: ParameterReader,
        content_type: str,
        disposition: str,
        body: BodyPieces,
        begin: FileBeginning,
        fetching: FileFetching,
    ) -> None:
        self._parameters = parameters
        self._content_type = content_type
        self._disposition = disposition
        self._body = body
        self._begin = begin
        self._fetching = fetching
        self._file: IncomingFile | None = None
        self._part = FormFile("", "")

    def __enter__(self) -> TakenFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.abort()

    @property
    def is_form(self) -> bool:
        """Whether the file comes in a form."""
        return self._content_type.partition(";")[0].strip().lower() == FORM

    @property
    def least(self) -> int:
        """The bytes that the file has at least, as far as is known before it comes."""
        length = 0 if self._body.is_coded else self._body.length or 0
        return max(0, length - AROUND) if self.is_form else length

    def take(self) -> tuple[IncomingFile, FileRequest]:
        """Read all of the body. Raises BadParameter, BadForm, BrokenBody, FileRefused."""
        request = self._from_form() if self.is_form else self._raw()
        if self._file is None or not self._file.size:
            raise BadForm(422, EMPTY)
        name, media_type = self._named(request)
        self._file.describe(name, media_type, request.expire)
        return self._file, request

    def _raw(self) -> FileRequest:
        request = self._parameters.complete()
        if request.url:
            if self._body.read(1):
                raise BadParameter("url", "there is a body as well; send one or the other")
            self._fetch(request)
            return request
        if self._body.length == 0:
            raise BadForm(422, EMPTY)
        self._begin.prepare(request)
        self._file = file = self._begin.begin(request, *self._named(request), self._body.length if not self._body.is_coded else None)
        while piece := self._body.read():
            file.write(piece)
        return request

    def _fetch(self, request: FileRequest) -> None:
        """Have the file come from elsewhere."""
        self._fetching.require_allowed()
        self._begin.prepare(request)

        def begin(head: FetchedHead) -> Callable[[bytes], None]:
            self._content_type = head.media_type
            self._part = FormFile(name_in_disposition(head.disposition) or name_in_url(request.url), "")
            self._file = file = self._begin.begin(request, *self._named(request), head.size)
            return file.write

        try:
            self._fetching.check(request.url)
            self._fetching.fetch_apart(request.url, begin)
        except BadUrl as e:
            raise BadParameter("url", str(e)) from e

    def _from_form(self) -> FileRequest:
        self._require_no_url()
        boundary = parse_options_header(self._content_type)[1].get("boundary", "")
        for event in read_form(self._body.read, boundary):
            if isinstance(event, FormField):
                self._parameters.add(event.name, event.value)
                self._require_no_url()
            elif isinstance(event, FormFile):
                self._part = event
                request = self._parameters.request
                self._begin.prepare(request)
                self._file = self._begin.begin(request, *self._named(request), None)
            elif self._file is not None:
                self._file.write(event.data)
        return self._parameters.complete()

    def _require_no_url(self) -> None:
        """Raise BadParameter: a form has its file itself."""
        if self._parameters.request.url:
            raise BadParameter("url", "it goes without a body; send one or the other")

    def _named(self, request: FileRequest) -> tuple[str, str]:
        """Name and media type, as far as they are known."""
        given = self._part.media_type if self.is_form else self._content_type
        names = (request.name, name_in_disposition(self._disposition), self._part.name)
        name = chosen_name(names, media_type_of(given, ""))
        return name, media_type_of(given, name)
