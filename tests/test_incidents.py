"""Incidents: everything counts, a kind is logged once a minute."""

from __future__ import annotations

import logging

import pytest

from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.test")


def test_a_kind_is_logged_once_a_minute_and_always_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    incidents = Incidents(lambda: now[0])
    for _ in range(3):
        incidents.report(log, "stanza-skipped", "from %s", "a@b")
    incidents.report(log, "other", "another kind")
    now[0] = 61.0
    incidents.report(log, "stanza-skipped", "from %s", "c@d")
    assert [r.getMessage() for r in caplog.records] == ["from a@b", "another kind", "from c@d (2 more since the last line of this kind)"]
    assert incidents.counts() == {"stanza-skipped": 4, "other": 1}


def test_the_traceback_comes_along_where_it_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    try:
        int("x")
    except ValueError:
        Incidents().report(log, "surprise", "100%% %s", "bad", trace=True)
    assert caplog.records[0].exc_info
    assert caplog.records[0].getMessage() == "100% bad"
