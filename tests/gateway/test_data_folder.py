"""The data folder is for nobody else's eyes, also where it was there before; a folder that may be somebody else's is not touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.exit_codes import CannotStart


def start(base: Path, data_dir: str = "data") -> None:
    """A gateway that starts, serves a request, and ends."""
    (base / "wsgi.ini").write_text(f"[server]\ndata_dir = {data_dir}\n[auth]\niterations = 4096\n")
    app = build(load_settings(base / "wsgi.ini", {}))
    app.extensions["gateway"].start()
    assert app.test_client().get("/health").status_code == 200
    app.extensions["gateway"].stop()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.rglob("*")) if mode(path) & 0o077]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_folder(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        start(tmp_path)
    finally:
        os.umask(old)
    assert mode(tmp_path / "data") == 0o700
    assert open_to_others(tmp_path / "data") == []


@pytest.mark.parametrize("rights", [0o755, 0o750, 0o777, 0o705, 0o2770])
def test_an_empty_folder_that_was_there(tmp_path: Path, rights: int, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(rights)
    start(tmp_path)
    assert mode(tmp_path / "data") & 0o777 == 0o700
    assert f"{tmp_path / 'data'}: others had rights there (mode {rights:o}); they have none now" in caplog.text


def test_what_an_earlier_gateway_left(tmp_path: Path) -> None:
    start(tmp_path)
    data = tmp_path / "data"
    (data / "outbox").mkdir(exist_ok=True)
    for path, rights in ((data, 0o755), (data / "gateway.sqlite", 0o644), (data / "admin-password", 0o644), (data / "outbox", 0o755)):
        path.chmod(rights)
    start(tmp_path)
    assert open_to_others(data) == []


def test_a_private_folder_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "notes.txt").write_text("mine")
    (tmp_path / "data" / "notes.txt").chmod(0o644)
    start(tmp_path)
    assert mode(tmp_path / "data" / "notes.txt") == 0o644
    assert "others had rights" not in caplog.text


@pytest.mark.parametrize("shared", ["sticky", "others' files", "configuration"])
def test_a_folder_that_may_be_somebody_elses(tmp_path: Path, shared: str) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777 if shared == "sticky" else 0o755)
    if shared == "others' files":
        (folder / "index.html").write_text("<p>")
    before = mode(folder)
    base, data_dir = (folder, ".") if shared == "configuration" else (tmp_path, "shared")
    with pytest.raises(CannotStart) as caught:
        start(base, data_dir)
    (sentence,) = caught.value.problems
    assert sentence.startswith("[server] data_dir = ")
    assert "others have rights there (mode" in sentence
    assert "chmod 700" in sentence
    assert caught.value.code == 73
    assert mode(folder) == before
    assert set(os.listdir(folder)) <= {"index.html", "wsgi.ini"}
