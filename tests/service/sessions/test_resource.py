"""The resource of sessions (accounts-anywhere §4.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import StorageError
from tests.conftest import DOMAIN, OpenDriver
from tests.raising import raising
from tests.service.sessions.scripted import GOOD, ROMEO, TYBALT
from xmpp_rest.auth.shared_keys import SharedKeys
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


def test_machines_of_one_gateway_name_the_same_which_is_that_of_the_first(open_driver: OpenDriver, tmp_path: Path) -> None:
    driver = open_driver("sqlite:data.sqlite", tmp_path)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    alone = SessionResources(tmp_path / "first", lambda: "desk").of(ROMEO)
    SessionResources(tmp_path / "second", lambda: "desk").of(ROMEO)
    named = [
        SessionResources(tmp_path / folder, lambda: "desk", SharedKeys(driver, DOMAIN)).of(ROMEO) for folder in ("first", "second", "nowhere")
    ]
    assert named == [alone] * 3


def test_a_storage_that_fails_keeps_nobody_out(
    open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And nobody has another resource once it works again: by the same one, a server ends what it has of a session from before a crash."""
    driver = open_driver("sqlite:data.sqlite", tmp_path)
    named = SessionResources(tmp_path, lambda: "desk", SharedKeys(driver, DOMAIN)).of(ROMEO)
    resources = SessionResources(tmp_path, lambda: "desk", SharedKeys(driver, DOMAIN))
    with monkeypatch.context() as patch:
        patch.setattr(driver, "load", raising(StorageError("away")))
        assert resources.of(ROMEO) == resources.of(ROMEO) != named
    assert "cannot be read" in caplog.text
    assert resources.of(ROMEO) == named
