"""What is the answer to GET and HEAD? (steps G1 to G6)"""

from __future__ import annotations

from .exchange import Exchange
from .ranges import ranged
from .write import representation


def read(x: Exchange) -> int:
    """G1 to G6."""
    for step in x.plan.fields:
        step(x)
    if x.method == "GET" and x.units and "HTTP_RANGE" in x.environ:
        return ranged(x) or representation(x)
    x.provide()
    return representation(x)
