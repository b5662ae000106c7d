"""The level from which on the gateway logs."""

from __future__ import annotations

import logging

LOGGERS = ("xmpp_rest", "drivers")


def set_level(level: int) -> None:
    """Log from this level on, in this process."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)
