"""Who a node is (many-machines §2)."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from xmpp_rest.cluster.identity import ID, host_name, identify


def test_the_id_is_made_once_and_the_run_each_time(tmp_path: Path) -> None:
    first, second = identify(tmp_path, "web1"), identify(tmp_path, "web1")
    assert re.fullmatch("[0-9a-f]{16}", first.id)
    assert (first.node, first.id) == (second.node, second.id)
    assert first.run != second.run
    assert (tmp_path / ID).read_text() == f"{first.id}\n"
    assert stat.S_IMODE((tmp_path / ID).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [ID]


def test_a_node_without_a_name_has_that_of_its_host(tmp_path: Path) -> None:
    assert identify(tmp_path, "").node == host_name()
    assert re.fullmatch("[A-Za-z0-9._-]{1,32}", host_name())


def test_a_file_that_holds_no_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / ID).write_text("web1\n")
    with pytest.raises(OSError, match="remove it, and a new one is made"):
        identify(tmp_path, "web1")
