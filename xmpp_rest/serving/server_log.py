"""gunicorn's own lines, as all others: by the handler of the root logger, in its form."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's log, without a handler of its own."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn at its start, and when it reloads."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
