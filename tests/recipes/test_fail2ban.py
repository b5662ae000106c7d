"""The filter for fail2ban matches the lines of refused credentials, and nothing that a client can have written otherwise."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from xmpp_rest.answered import Answered
from xmpp_rest.auth.refusals import REASONS, Refusals
from xmpp_rest.logs.access import AccessLog
from xmpp_rest.logs.lines import JournalLines, TextLines
from xmpp_rest.request_notes import CURRENT, RequestNotes

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("fail2ban-regex") and not os.environ.get("XMPP_REST_REQUIRE_LIVE"), reason="fail2ban is not installed"),
]
FILTER = Path(__file__).parents[2] / "deploy/fail2ban/filter.d/xmpp-rest.conf"
FORGED = "2026-11-30T08:00:00.000Z warning xmpp_rest.auth refused account=a address=192.0.2.66 api=rest reason=password request_id=a"
"""A line as an attacker would like it: it would ban somebody else."""
NAMES = [FORGED, f"\n{FORGED}\n", f'"\n{FORGED}', f"\r{FORGED}\r", f"\u2028{FORGED}", f"\x85{FORGED}", 'a" address=192.0.2.66 api=rest reason=password', "a address=192.0.2.66",
         "address=192.0.2.66", "\\", '\\"', 'x\\" address=192.0.2.66', "\udcff", "\x00", "\t", "\u3000", "<ADDR>", "", "zoë@example.net", "x: warning xmpp_rest.auth refused"]  # fmt: skip


def matched(folder: Path, lines: list[str]) -> list[str]:
    """The addresses that fail2ban finds, in order."""
    log = folder / "log"
    log.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    ran = subprocess.run(["fail2ban-regex", "--out", "ip", str(log), str(FILTER)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 or not ran.stdout, ran.stderr
    return re.findall(r"^\S+$", ran.stdout, re.MULTILINE)


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def refuse(**given: Any) -> None:
    token = CURRENT.set(RequestNotes(given.pop("request_id", "r"), "rest"))
    try:
        Refusals().note(**{"reason": "password", "account": "juliet@example.net", "address": "198.51.100.7"} | given)
    finally:
        CURRENT.reset(token)


def test_lines_of_refused_credentials(tmp_path: Path, records: pytest.LogCaptureFixture) -> None:
    for reason in REASONS:
        refuse(reason=reason)
    refuse(account=None)
    refuse(address="2001:db8::1")
    refuse(request_id="a=b:/+@-_.")
    for name in NAMES:
        refuse(account=name)
    Refusals().note("token", None, "198.51.100.7")  # of no request
    expected = ["198.51.100.7"] * (len(REASONS) + 1) + ["2001:db8::1"] + ["198.51.100.7"] * (len(NAMES) + 2)
    assert matched(tmp_path, [TextLines().format(record) for record in records.records]) == expected
    prefix = "2026-11-30T08:00:00.000Z host xmpp-rest[7]: "  # as fail2ban sees the journal, which takes `<N>` away
    assert matched(tmp_path, [prefix + JournalLines().format(record)[3:] for record in records.records]) == expected


def test_nothing_else(tmp_path: Path, records: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("xmpp_rest.auth")
    for text in NAMES:
        AccessLog("all").answered(Answered("rest", text, text, 403, 0.1, 0.1, False, 1, 2, text, "198.51.100.7", text, "r"))
        log.warning("somebody said %s", text)
        log.warning("%s", text)
        logging.getLogger("xmpp_rest.server").error("%s", text)
    refuse(address="")  # nobody's address is known
    refuse(address="the command line")
    assert matched(tmp_path, [TextLines().format(record) for record in records.records]) == []
