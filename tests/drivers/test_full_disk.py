"""A full or read-only disk gives a clear error, and nothing is lost."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import BadStorageURL, StorageError, open_driver
from tests.conftest import OpenDriver
from tests.drivers.conftest import give_up
from tests.drivers.contract_base import JULIET

ROOT = Path(__file__).parents[2]
URLS = ["sqlite:x.sqlite", "flatfile:data", "jsonfile:data"]
FULL = "no space left|larger than is allowed|disk refused"

WRITER = """
import sys
from pathlib import Path
from drivers import BadStorageURL, StorageError, open_driver
driver = open_driver(sys.argv[1], Path(sys.argv[2]))
written = 0
def attempt(call, *arguments, **options):
    try:
        call("juliet", "capulet.example", *arguments, **options)
    except StorageError as e:
        print(e)
        return True
    return False
while not attempt(driver.list_append, "list", {"i": written, "padding": "x" * 1000}):
    written += 1
attempt(driver.store, "settings", {"a": "x" * 3_000_000})
attempt(driver.list_store, "kept", ["x" * 3_000_000])
attempt(driver.archive_append, "archive", f"<message>{'x' * 3_000_000}</message>", when=1)
attempt(driver.update, "settings", lambda table: {"a": "x" * 3_000_000})
print(written)
"""


def fill(url: str, folder: Path, limit: int | None = None) -> tuple[list[str], int]:
    """Write until the storage refuses; what it said, and how many items of the list it had acknowledged."""

    def lower() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    driver = open_driver(url, folder)
    driver.store(*JULIET, "settings", {"a": 1})
    driver.list_store(*JULIET, "kept", ["a"])
    driver.close()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER, url, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, preexec_fn=lower)
    assert done.returncode == 0, done.stderr
    *sentences, written = done.stdout.splitlines()
    return sentences, int(written)


def check(url: str, folder: Path, written: int) -> None:
    """Everything that was acknowledged is there, and nothing else."""
    driver = open_driver(url, folder)
    items = driver.list_load(*JULIET, "list", 0, None)
    assert items is not None
    assert [item["i"] for item in items] == list(range(written))
    assert driver.load(*JULIET, "settings") == {"a": 1}
    assert driver.list_load(*JULIET, "kept") == ["a"]
    assert driver.archive_count(*JULIET, "archive") == 0
    driver.close()


@pytest.mark.parametrize("url", URLS)
def test_a_file_that_may_not_grow(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    sentences, written = fill(url, tmp_path, limit=1_000_000)
    assert len(sentences) == 5
    assert written > 20
    assert all(any(word in sentence for word in FULL.split("|")) for sentence in sentences), sentences
    check(url, tmp_path, written)
    driver = open_driver(url, tmp_path)
    driver.list_append(*JULIET, "list", "more")
    assert (driver.list_load(*JULIET, "list", written) or [])[-1] == "more"
    driver.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True).returncode != 0:
        give_up("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.live
@pytest.mark.parametrize("url", URLS)
def test_a_full_disk(url: str, small_disk: Path) -> None:
    sentences, written = fill(url, small_disk)
    assert len(sentences) == 5
    assert written > 20
    assert all("no space left" in sentence or "disk refused" in sentence for sentence in sentences), sentences
    check(url, small_disk, written)


@pytest.mark.live
@pytest.mark.parametrize("url", URLS)
def test_a_read_only_disk(url: str, small_disk: Path, open_driver: OpenDriver) -> None:
    driver = open_driver(url, small_disk)
    driver.store(*JULIET, "settings", {"a": 1})
    driver.list_append(*JULIET, "list", 1)
    driver.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    driver = open_driver(url, small_disk)
    with pytest.raises(StorageError, match="read-only|cannot be opened"):
        driver.store(*JULIET, "settings", {"a": 2})
    with pytest.raises(StorageError, match="read-only|cannot be opened"):
        driver.list_append(*JULIET, "list", 2)
    if not url.startswith("sqlite"):  # which keeps its locks in a file
        assert driver.load(*JULIET, "settings") == {"a": 1}
    driver.close()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    driver = open_driver(url, small_disk)
    assert driver.load(*JULIET, "settings") == {"a": 1}
    assert driver.list_load(*JULIET, "list") == [1]
    driver.close()


@pytest.mark.parametrize("url", ["sqlite:file/x.sqlite", "flatfile:file/data", "jsonfile:file/data"])
def test_a_path_below_a_file(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    (tmp_path / "file").write_text("")
    driver = open_driver(url, tmp_path)
    with pytest.raises(StorageError, match="file"):
        driver.store(*JULIET, "settings", {"a": 1})
    with pytest.raises(StorageError):
        driver.list_append(*JULIET, "list", 1)
    with pytest.raises(StorageError):
        driver.archive_append(*JULIET, "archive", "<message/>", when=1)
    with pytest.raises(StorageError):
        driver.load(*JULIET, "settings")
    driver.close()


@pytest.mark.parametrize("url", ["flatfile:data", "jsonfile:data"])
def test_a_folder_where_a_file_should_be(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver(url, tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    (path,) = (tmp_path / "data").glob("capulet*/settings/juliet.*")
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match="a folder is in the place of a file"):
        driver.load(*JULIET, "settings")
    with pytest.raises(StorageError, match="a folder is in the place of a file"):
        driver.store(*JULIET, "settings", {"a": 2})


@pytest.mark.parametrize("url", ["flatfile:data", "jsonfile:data"])
def test_a_storage_that_vanishes_is_made_again(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver(url, tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    shutil.rmtree(tmp_path / "data")
    assert driver.load(*JULIET, "settings") is None
    driver.store(*JULIET, "settings", {"a": 2})
    driver.list_append(*JULIET, "list", 1)
    assert driver.load(*JULIET, "settings") == {"a": 2}


@pytest.mark.parametrize("url", ["mysql://juliet:hush@capulet.example/db", "no.such:Driver:hush", "drivers:Driver:hush", "pathlib.x:Path:hush"])
def test_what_cannot_be_opened_is_named_without_its_password(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    with pytest.raises(BadStorageURL) as caught:
        open_driver(url, tmp_path)
    assert "hush" not in str(caught.value)
