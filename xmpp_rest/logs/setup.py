"""Sets up the log as `[server] log_level, log_levels, log_format` say, and again whenever they have changed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from xmpp_rest.config.table import ServerSettings
from xmpp_rest.logs.areas import AREAS, PREFIX
from xmpp_rest.logs.handler import BufferedHandler
from xmpp_rest.logs.lines import lines_for
from xmpp_rest.logs.server_lines import GUNICORN, is_new

PATIENT = ("xmpp_rest.access", "xmpp_rest.audit")
"""The loggers of lines that are written for every request."""


def set_up(server: ServerSettings) -> None:
    """Log to standard error, unless the server that runs us has set up logging already."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(BufferedHandler(patient=PATIENT))
        root.setLevel(max(logging.WARNING, _number(server.log_level)))  # of other programs' libraries
        logging.getLogger("xmpp_rest").setLevel(_number(server.log_level))
    logging.getLogger(GUNICORN).addFilter(is_new)
    _set_area_levels(server)
    _set_form(server)


def follow(server: ServerSettings) -> None:
    """These settings are in force from now on, in this process."""
    set_level(_number(server.log_level))
    _set_area_levels(server)
    _set_form(server)


def set_level(level: int) -> None:
    """Log from this level on, in this process; areas with levels of their own, and the audit, are as they were."""
    logging.getLogger("xmpp_rest").setLevel(level)
    logging.getLogger(GUNICORN).setLevel(logging.getLogger("xmpp_rest.server").getEffectiveLevel())


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _set_area_levels(server: ServerSettings) -> None:
    levels = dict(server.log_levels)
    for area in AREAS:
        logging.getLogger(PREFIX + area).setLevel(_number(levels[area]) if area in levels else logging.NOTSET)
    audit = logging.getLogger("xmpp_rest.audit")
    if audit.level in (logging.NOTSET, logging.WARNING, logging.ERROR):  # however little else is logged: what was done leaves a line
        audit.setLevel(logging.INFO)
    logging.getLogger(GUNICORN).setLevel(logging.getLogger("xmpp_rest.server").getEffectiveLevel())


def _set_form(server: ServerSettings) -> None:
    for handler in _handlers():
        handler.setFormatter(lines_for(server.log_format, handler.stream))


def _handlers() -> Iterator[logging.StreamHandler[TextIO]]:
    """Ours, and gunicorn's if it writes to standard error."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, BufferedHandler):
            yield handler
    for other in logging.getLogger(GUNICORN).handlers:
        if type(other) is logging.StreamHandler and _is_stderr(other.stream):
            yield other


def _is_stderr(stream: Any) -> bool:
    return stream is sys.stderr
