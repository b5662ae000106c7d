"""Lines of gunicorn's own workers, which repeat what a client has sent, and so perhaps a secret."""

from __future__ import annotations

import logging

from xmpp_rest.answered import shown_path

GUNICORN = "gunicorn.error"
REFUSED = "Invalid request from ip="
FAILED = "Error handling request"
BEGUN = "%s %s"
"""The method and the path of a request, at debug level: the access line has both."""


def is_new(record: logging.LogRecord) -> bool:
    """A filter of gunicorn's logger: whether no other line says the same."""
    return record.levelno != logging.DEBUG or record.msg != BEGUN


def message_of(record: logging.LogRecord) -> str:
    """What a record says, without what was wrong in a request, and without queries. Our worker's lines have neither."""
    text = record.getMessage()
    if record.name != GUNICORN:
        return text
    if text.startswith(REFUSED) and not record.args:
        return text.partition(": ")[0]
    if not text.startswith(FAILED):
        return text
    said, blank, path = text.partition("?")[0].rpartition(" ")
    return f"{said}{blank}{shown_path(path)}"
