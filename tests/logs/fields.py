"""Lines of the log, by their events and fields."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from xmpp_rest.logs.events import EventRecord


def fields(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of each line of this event."""
    return [record.fields for record in caplog.records if isinstance(record, EventRecord) and record.msg == event]


def audited(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    """Account, address, command, arguments and status of each line of the audit."""
    assert all(r.name == "xmpp_rest.audit" and r.levelno == logging.INFO for r in caplog.records if getattr(r, "event", "") == "command")
    return [tuple(line.values()) for line in fields(caplog, "command")]
