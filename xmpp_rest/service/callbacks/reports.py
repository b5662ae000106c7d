"""Log lines about one callback, each kind at most once a minute, counted in the metrics."""

from __future__ import annotations

import logging

from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.callbacks")


class Reports:
    """Safe to be used by several threads."""

    def __init__(self, callback: str, incidents: Incidents) -> None:
        self._callback = callback
        self._incidents = incidents

    def warning(self, kind: str, message: str, *arguments: object) -> None:
        self._incidents.report(log, kind, f"callback %s: {message}", self._callback, *arguments)

    def exception(self, kind: str, message: str, *arguments: object) -> None:
        """As an error, with the traceback of the exception that is being handled."""
        self._incidents.report(log, kind, f"callback %s: {message}", self._callback, *arguments, level=logging.ERROR, trace=True)
