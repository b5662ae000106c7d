"""The class of gunicorn's workers: the one that is written, or gthread where the gateway's own cannot work."""

from __future__ import annotations

import os
import select
from importlib import import_module

OWN = "xmpp_rest.serving.worker.Worker"
INSTEAD = "gthread"


def lacking() -> str:
    """What the gateway's own worker needs and does not find; empty: nothing."""
    if not (hasattr(select, "epoll") and hasattr(os, "eventfd")):
        return "this system has no epoll and eventfd"
    try:
        import_module("greenlet")
    except ImportError:
        return "the package greenlet is not installed"
    return ""


def usable(written: str) -> str:
    """The class to be used."""
    return INSTEAD if written == OWN and lacking() else written
