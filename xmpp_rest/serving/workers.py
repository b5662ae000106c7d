"""gunicorn's hooks for several workers, by name: `gunicorn -c python:xmpp_rest.serving.workers` is good for any application.

Each worker has a processor of its own (affinity.py) and its share of the connections (shares.py).
"""

from __future__ import annotations

from typing import Any

from xmpp_rest.serving import affinity, shares
from xmpp_rest.serving.affinity import post_fork
from xmpp_rest.serving.shares import child_exit

__all__ = ["child_exit", "post_fork", "pre_fork"]


def pre_fork(arbiter: Any, worker: Any) -> None:
    """In the parent, before each fork."""
    shares.pre_fork(arbiter, worker)
    affinity.pre_fork(arbiter, worker)
