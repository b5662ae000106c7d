"""The resource of sessions (accounts-anywhere §4.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.sessions.scripted import GOOD, ROMEO, TYBALT
from xmpp_rest.service.sessions.resource import FILE, SessionResources


def test_it_is_the_same_after_a_restart_and_another_one_elsewhere(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    here, again, there = (SessionResources(tmp_path / folder, lambda: "desk") for folder in ("here", "here", "there"))
    assert here.of(ROMEO) == again.of(ROMEO)
    assert here.of(ROMEO).startswith("desk-")
    assert len(here.of(ROMEO)) == len("desk-") + 8
    assert len({here.of(ROMEO), here.of(TYBALT), there.of(ROMEO)}) == 3
    assert (tmp_path / "here" / FILE).stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_made_again(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no hex")
    made = SessionResources(tmp_path, lambda: "desk").of(ROMEO)
    assert SessionResources(tmp_path, lambda: "desk").of(ROMEO) == made


def test_a_folder_that_cannot_be_written_keeps_nobody_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    resources = SessionResources(tmp_path / "nowhere", lambda: "desk")
    assert resources.of(ROMEO) == resources.of(ROMEO)
    assert "can be neither read nor written" in caplog.text
    assert GOOD not in caplog.text
