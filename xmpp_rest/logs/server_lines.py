"""Lines of gunicorn's own workers, which repeat what a client has sent, and so perhaps a secret."""

from __future__ import annotations

import logging

REFUSED = "Invalid request from ip="
FAILED = "Error handling request"
BEGUN = "%s %s"
"""The method and the path of a request, at debug level: the access line has both."""


def without_requests(record: logging.LogRecord) -> bool:
    """A filter of gunicorn's logger: leaves out what was wrong in a request, and queries. Our worker's lines have neither."""
    if record.levelno == logging.DEBUG and record.msg == BEGUN:
        return False
    if not isinstance(record.msg, str):
        return True
    if record.msg.startswith(REFUSED) and not record.args:
        record.msg = record.msg.partition(": ")[0]
    elif record.msg.startswith(FAILED) and isinstance(record.args, tuple):
        record.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in record.args)
    return True
