"""Watches the answers of an application: makes the notes of each request, and tells of its answer where the server does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from xmpp_rest.answered import TOLD, Answers, describe
from xmpp_rest.request_notes import CURRENT, note_request

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Watched:
    """WSGI: the application, with notes of each request. Put around all else, so that it knows of every answer."""

    def __init__(self, app: WSGI, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        note_request(environ)
        if TOLD in environ:  # our worker, which knows when the answer was written
            return self._app(environ, start_response)
        return _WatchedAnswer(self._answers, environ).begin(self._app, start_response)


class _Counted:
    """A request's body of a length that was not said. Where it is broken, reading raises OSError, whatever the server's parser raises."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._body, name)
        if name not in ("read", "readline", "read1"):
            return found

        def read(*args: Any) -> bytes:
            try:
                data: bytes = found(*args)
            except (OSError, ValueError):
                raise
            except Exception as e:  # gunicorn's ParseException, where Werkzeug expects OSError
                raise OSError(f"the body is broken: {type(e).__name__}") from e
            self.count += len(data)
            return data

        return read

    def __iter__(self) -> Iterator[bytes]:
        for line in self._body:
            self.count += len(line)
            yield line


class _WatchedAnswer:
    """One answer under a server that tells of none: the iterable that the server sends, and closes (PEP 3333)."""

    def __init__(self, answers: Answers, environ: dict[str, Any]) -> None:
        self._answers = answers
        self._environ = environ
        self._begun = time.monotonic()
        self._headed = 0.0
        self._status = 500
        self._sent = 0
        self._told = False
        self._body: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())
        self._counted: _Counted | None = None
        if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" in environ and "wsgi.input" in environ:
            self._counted = environ["wsgi.input"] = _Counted(environ["wsgi.input"])

    def begin(self, app: WSGI, start_response: Any) -> Iterable[bytes]:
        """Have the application answer."""

        def started(status: str, fields: list[tuple[str, str]], *exc_info: Any) -> Any:
            self._status = int(status[:3])
            write = start_response(status, fields, *exc_info)

            def counted(data: bytes) -> Any:
                self._sent += len(data)
                return write(data)

            return counted

        self._answers.begin()
        try:
            self._body = app(self._environ, started)
            self._pieces = iter(self._body)
        except BaseException:
            self._status = 500
            self._tell()
            raise
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._tell()
            raise
        self._headed = self._headed or time.monotonic()
        self._sent += len(piece)
        return piece

    def close(self) -> None:
        """The server has sent it, or has given up."""
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._tell()

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        self._answers.end()
        length = str(self._environ.get("CONTENT_LENGTH") or "0")
        came = self._counted.count if self._counted is not None else int(length) if length.isascii() and length.isdigit() else 0
        now = time.monotonic()
        self._answers.tell(describe(self._environ, self._status, self._begun, self._headed or now, (came, self._sent)))
        CURRENT.set(None)  # this thread goes on with other work
