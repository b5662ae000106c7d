"""The unit for systemd: systemd has nothing against it, and finds the service well enclosed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.live.conftest import require

pytestmark = pytest.mark.live
UNIT = Path(__file__).parents[2] / "deploy" / "xmpp-rest.service"
MOST_EXPOSURE = 2.0  # of 10
GIVEN = [
    "Type=notify",
    "NotifyAccess=main",
    "WatchdogSec=60",
    "LimitNOFILE=65536",
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=on-failure",
    "RestartPreventExitStatus=64 73 77 78",
    "UMask=0077",
    "SystemCallFilter=@system-service",
    "MemoryDenyWriteExecute=yes",
    "ProtectSystem=strict",
]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that there is."""
    require("systemd-analyze")
    path = tmp_path / UNIT.name
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    return path


def analyse(*words: str) -> str:
    ran = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_what_was_decided() -> None:
    assert set(GIVEN) <= set(UNIT.read_text().splitlines())


def test_it_is_right(unit: Path) -> None:
    assert analyse("verify", str(unit)) == ""


def test_it_is_well_enclosed(unit: Path) -> None:
    told = analyse("security", "--offline=true", f"--threshold={MOST_EXPOSURE * 10:.0f}", str(unit))
    exposure = re.search(r"exposure level for xmpp-rest.service: ([\d.]+)", told)
    assert exposure is not None
    assert float(exposure[1]) <= MOST_EXPOSURE
