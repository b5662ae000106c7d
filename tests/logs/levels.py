"""The levels of loggers, which all tests of a process share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from xmpp_rest.logs.areas import AREAS, PREFIX
from xmpp_rest.logs.server_lines import GUNICORN

NAMES = ["xmpp_rest", GUNICORN, *(PREFIX + area for area in AREAS)]


@contextmanager
def levels_kept() -> Iterator[None]:
    """Whatever is set in this context is as before afterwards."""
    before = {name: logging.getLogger(name).level for name in NAMES}
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
