"""The form of a line, of whatever logger: text, text for the journal of systemd, or JSON. One record is one line.

A record may have an `event`, which is its name, and `fields`, which follow its message. Whatever a client has sent stays within the value
that it belongs to: what could end a line, or look like the next field, is written as a JSON string.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO

from xmpp_rest.answered import without_tokens
from xmpp_rest.logs.areas import logger_name
from xmpp_rest.logs.server_lines import message_of
from xmpp_rest.request_notes import current_id

LEVEL_NAMES = {
    logging.CRITICAL: "critical",
    logging.ERROR: "error",
    logging.WARNING: "warning",
    logging.INFO: "info",
    logging.DEBUG: "debug",
}
SYSLOG = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}  # sd-daemon(3), RFC 5424 §6.2.1
_encode = json.JSONEncoder(default=str).encode
_is_plain = re.compile(r"[!#-<>-~]+").fullmatch  # visible ASCII but " and =


def text_of(value: Any) -> str:
    """A value as it stands behind `key=`."""
    if value.__class__ is str:
        return value if value.isalnum() and value.isascii() else quoted(value)
    if value.__class__ is int:
        return str(value)
    if value.__class__ is float:
        return f"{value:.6f}"
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return text if _is_plain(text) else _quoted(text)


@lru_cache(maxsize=1024)
def quoted(text: str) -> str:
    """As `text_of`, of a text that is likely to come again: clients send the same paths, accounts and user agents again and again."""
    return text if _is_plain(text) else _quoted(text)


def _quoted(text: str) -> str:
    if text and text.isprintable() and not any(c in text for c in ' "='):  # letters beyond ASCII
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def one_line(text: str) -> str:
    """A message without line breaks and other characters that do something to a terminal."""
    return text if text.isprintable() else "".join([c if c.isprintable() else json.dumps(c)[1:-1] for c in text])


class _Lines(logging.Formatter):
    """What the forms have in common."""

    def __init__(self) -> None:
        super().__init__()
        self._second = (0, "")

    def time(self, record: logging.LogRecord) -> str:
        """UTC, to the millisecond; the lines of one second share the text of that."""
        second, text = self._second
        if second != int(record.created):
            second, text = self._second = int(record.created), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{text}.{int(record.msecs):03d}Z"

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields, with the id of the request on whose behalf this was logged, and the traceback."""
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        more: dict[str, Any] = {}
        if "request_id" not in fields and (request_id := current_id()) is not None:
            more["request_id"] = request_id
        if record.exc_info and record.exc_info[0] is not None:
            more["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            more["stack"] = record.stack_info
        return {**fields, **more} if more else dict(fields)


class TextLines(_Lines):
    """`TIME level xmpp_rest.AREA message key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if (pairs := getattr(record, "pairs", None)) is not None:  # an event, whose message is its name
            return without_tokens(f"{self.begin(record)} {record.name} {record.msg}{pairs}")
        pairs = "".join([f" {key}={text_of(value)}" for key, value in self.fields(record).items()])
        return without_tokens(f"{self.begin(record)} {logger_name(record.name)} {one_line(message_of(record))}{pairs}")

    def begin(self, record: logging.LogRecord) -> str:
        """What is before the area."""
        return f"{self.time(record)} {level_name(record.levelno)}"


class JournalLines(TextLines):
    """The same for the journal, which has its own time, and takes the level from `<N>` (sd-daemon(3))."""

    def begin(self, record: logging.LogRecord) -> str:
        return f"<{SYSLOG.get(record.levelno, 5)}>{level_name(record.levelno)}"


class JsonLines(_Lines):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if (text := getattr(record, "members", None)) is not None:
            where = f'"level": "{level_name(record.levelno)}", "logger": "{record.name}", "message": "{record.msg}"'
            return without_tokens(f'{{"time": "{self.time(record)}", {where}, {text}}}')
        members: dict[str, Any] = {
            "time": self.time(record),
            "level": level_name(record.levelno),
            "logger": logger_name(record.name),
            "message": message_of(record),
        }
        fields = self.fields(record)
        if (request_id := fields.pop("request_id", None)) is not None:
            members["request_id"] = request_id
        if (event := getattr(record, "event", None)) is not None:
            members["event"] = event
        return without_tokens(_encode(members | fields))


def level_name(number: int) -> str:
    """The name of a level, in lower case."""
    return LEVEL_NAMES.get(number) or logging.getLevelName(number).lower().replace(" ", "-")


def lines_for(form: str, stream: TextIO) -> logging.Formatter:
    """What writes lines of this form, `text` or `json`, to this stream."""
    if form == "json":
        return JsonLines()
    return JournalLines() if is_journal(stream) else TextLines()


def is_journal(stream: TextIO) -> bool:
    """Whether the stream goes to the journal: JOURNAL_STREAM has its device and inode (systemd.exec(5))."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # a stream in memory
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"
