"""Forms with a file, read in pieces (RFC 7578): the fields, and the content of the one file as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

MOST_PARTS = 1000
MOST_FIELDS = 1 << 20  # bytes of all fields of a form
MOST_HEAD = 512 << 10  # bytes that wait for the end of a head, or of what comes before the first part
BOUNDARY = 256  # characters; RFC 2046 §5.1.1 allows 70


class BadForm(Exception):
    """The form cannot be read, or is none that sends a file; `status`: of the answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class FormField(NamedTuple):
    """A part without a file name."""

    name: str
    value: str


class FormFile(NamedTuple):
    """The beginning of the part with a file name. `media_type`: of its own, "" for none."""

    name: str
    media_type: str


class FileContent(NamedTuple):
    """The next bytes of the file."""

    data: bytes


FormEvent = FormField | FormFile | FileContent


def read_form(read: Callable[[], bytes], boundary: str) -> Iterator[FormEvent]:
    """What a form consists of, in its order. `read`: the next bytes, none at the end. Raises BadForm, and what `read` does."""
    if not boundary or len(boundary) > BOUNDARY:
        raise BadForm(400, "Content-Type: a form has a boundary, of at most 70 characters (RFC 2046 §5.1.1)")
    decoder = MultipartDecoder(boundary.encode("latin-1", "replace"), MOST_HEAD, max_parts=MOST_PARTS)
    form = _Form()
    try:
        while True:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                decoder.receive_data(read() or None)
            elif isinstance(event, Epilogue):
                return
            else:
                yield from form.take(event)
    except RequestEntityTooLarge as e:
        raise BadForm(413, f"A form has at most {MOST_PARTS} parts, with heads of some kilobytes") from e
    except ValueError as e:  # UnicodeDecodeError is one
        raise BadForm(400, "The form broke off, or is not one of this boundary; nothing was kept of it") from e


class _Form:
    """The parts of one form."""

    def __init__(self) -> None:
        self._has_file = False
        self._in_file = False
        self._name = ""
        self._value = bytearray()
        self._left = MOST_FIELDS

    def take(self, event: object) -> Iterator[FormEvent]:
        """What becomes of an event of the decoder. Raises BadForm."""
        if isinstance(event, File):
            if self._has_file:
                raise BadForm(422, "There are two files in this form; send each by itself")
            self._has_file = self._in_file = True
            yield FormFile(event.filename, event.headers.get("Content-Type", ""))
        elif isinstance(event, Field):
            self._in_file, self._name = False, event.name or ""
            self._value.clear()
        elif isinstance(event, Data):
            if not self._in_file:
                yield from self._more(event)
            elif event.data:
                yield FileContent(bytes(event.data))

    def _more(self, event: Data) -> Iterator[FormEvent]:
        self._left -= len(event.data)
        if self._left < 0:
            raise BadForm(422, f"{self._name[:60]}: the fields of a form have at most {MOST_FIELDS} bytes")
        self._value += event.data
        if not event.more_data:
            try:
                yield FormField(self._name, self._value.decode())
            except UnicodeDecodeError:
                raise BadForm(422, f"{self._name[:60]}: it is not UTF-8") from None
