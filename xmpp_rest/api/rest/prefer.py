"""`Prefer: wait=N` (RFC 7240 §4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:$|[,;])", re.IGNORECASE)


def wanted_wait(environ: Mapping[str, Any], most: float) -> float | None:
    """The seconds that the server is given for a decision, at most `most`; None: there is no such preference."""
    wanted = _WAIT.search(environ.get("HTTP_PREFER", ""))
    return None if wanted is None else min(float(wanted[1]), most)
