"""Logs are reopened and rotated if there are any."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN


@pytest.mark.parametrize(
    ("path", "args"),
    [
        ("stop_s2s_connections", {}), ("delete_expired_pubsub_items", {}), ("delete_old_pubsub_items", {"number": 5}),
        ("delete_old_push_sessions", {"days": 5}), ("clear_cache", {}), ("reopen_log", {}), ("rotate_log", {}),
    ],
)  # fmt: skip
def test_done(run: Run, path: str, args: dict[str, int]) -> None:
    assert run(path, args) == (200, 0)


@pytest.mark.parametrize(("path", "args"), [("delete_old_pubsub_items", {"number": -1}), ("delete_old_push_sessions", {"days": -1})])
def test_wrong_figures(run: Run, path: str, args: dict[str, int]) -> None:
    assert run(path, args).status == 400


def test_numbers_of_connections(run: Run) -> None:
    assert run("incoming_s2s_number/v0") == (200, {"s2s_incoming": 0})
    assert run("outgoing_s2s_number") == (200, 0)


def test_log_files(run: Run, tmp_path: Path) -> None:
    path, logger = tmp_path / "log", logging.getLogger("xmpp_rest")
    handler = RotatingFileHandler(path)
    logger.addHandler(handler)
    try:
        logger.warning("one")
        path.rename(tmp_path / "moved")
        run("reopen_log")
        logger.warning("two")
        assert path.read_text() == "two\n"
        handler.backupCount = 1
        run("rotate_log")
        assert (tmp_path / "log.1").read_text() == "two\n"
    finally:
        logger.removeHandler(handler)
        handler.close()


def test_bookmarks(run: Run) -> None:
    juliet = {"user": "juliet", "host": DOMAIN}
    assert run("bookmarks_to_pep", juliet) == (400, "Cannot retrieve bookmarks from private XML storage")
    stored = "<storage xmlns='storage:bookmarks'><conference jid='verona@rooms.example'/></storage>"
    run("private_set", juliet | {"element": stored})
    assert "XEP-0163" in run("bookmarks_to_pep", juliet).body
