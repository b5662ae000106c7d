"""Lines of the log, by their events and fields."""

from __future__ import annotations

import logging
from typing import Any

import pytest


def fields(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of each line of this event."""
    return [record.__dict__["fields"] for record in caplog.records if getattr(record, "event", None) == event]


def audited(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    """Account, address, command, arguments and status of each line of the audit."""
    assert all(r.name == "xmpp_rest.audit" and r.levelno == logging.INFO for r in caplog.records if getattr(r, "event", "") == "command")
    return [tuple(line.values()) for line in fields(caplog, "command")]
