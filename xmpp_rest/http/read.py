"""What is the answer to GET and HEAD? (steps G1 to G6)"""

from __future__ import annotations

from .conditional import set_etag, set_expires, set_last_modified
from .exchange import Exchange
from .ranges import ranged
from .write import representation


def read(x: Exchange) -> int:
    """G1 to G6."""
    set_etag(x)
    set_last_modified(x)
    set_expires(x)
    if x.method == "GET" and x.units and "HTTP_RANGE" in x.environ:
        return ranged(x) or representation(x)
    x.provide()
    return representation(x)
