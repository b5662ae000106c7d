"""Whether this node drains: it goes on serving, is not ready, and owns nothing (many-machines §13)."""

from __future__ import annotations

import os
from pathlib import Path

from xmpp_rest.processes.starts import lasts, start_of

FILE = "draining"  # in the data folder


class DrainMark:
    """A file in the data folder, so that all processes of the node know, and those that come in place of others.

    It names the start of the gateway in which it was made: a node that is started again does not drain.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._built = os.getpid()

    @property
    def is_set(self) -> bool:
        """Whether the node drains."""
        try:
            return lasts(self._path.read_text(encoding="ascii", errors="replace").strip())
        except OSError:
            return False

    def set(self) -> None:
        """It drains from now on. Raises OSError."""
        new = self._path.with_name(f"{FILE}.{os.getpid()}")
        new.write_text(f"{start_of(self._built)}\n", encoding="ascii")
        new.replace(self._path)

    def clear(self) -> None:
        """It drains no more. Raises OSError."""
        self._path.unlink(missing_ok=True)
