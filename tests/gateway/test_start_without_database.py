"""A node of several machines waits for a database that cannot be reached; a gateway alone says so and ends."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from drivers import StorageError
from xmpp_rest.cli.serve import prepare
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.exit_codes import CannotStart
from xmpp_rest.gateway.startup import problems, require_start

UNREACHABLE = "postgresql://u@127.0.0.1:1/x"


def settings(folder: Path, kind: str, url: str = UNREACHABLE) -> Settings:
    given = {"SERVER_DATA_DIR": str(folder), "SERVER_BIND": "127.0.0.1:0", "GATEWAY_DOMAIN": "gateway.example", "STORAGE_URL": url}
    more = {"CLUSTER_KIND": kind, "CLUSTER_COPIES": "1", "FILES_DOMAIN": "", "AUTH_ITERATIONS": "4096"} if kind != "none" else {}
    return load_settings(None, {f"XMPP_REST_{name}": value for name, value in (given | more).items()})


def test_one_machine_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be reached"):
        require_start(settings(tmp_path, "none"))
    with pytest.raises(StorageError, match="cannot be reached"):
        prepare(settings(tmp_path, "none"))


def test_a_node_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    require_start(settings(tmp_path, "postgresql"))
    with caplog.at_level(logging.WARNING, "xmpp_rest.server"):
        prepare(settings(tmp_path, "postgresql"))
    assert "the processes of this node wait for the database" in caplog.text
    assert any("cannot be reached" in str(problem) for problem in problems(settings(tmp_path, "postgresql"))), "check says so"
