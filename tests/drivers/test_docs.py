"""The driver in the documentation fulfils the contract, and the documentation is correct."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from drivers import DRIVERS, BadStorageURL
from tests.conftest import OpenDriver
from tests.drivers.contract import DriverContract

PAGE = Path(__file__).parents[2] / "docs" / "drivers.md"
EXAMPLE, USE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("path")
    (folder / "example").mkdir()
    (folder / "example" / "onefile.py").write_text(EXAMPLE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


class TestOneFile(DriverContract):
    test_many_users = test_a_long_archive = None  # type: ignore[assignment]  # rewrites everything each time: right, but slow
    test_appending_to_a_long_list_costs_what_it_costs_on_a_short_one = None  # type: ignore[assignment]

    @pytest.fixture
    def url(self) -> str:
        return "example.onefile:OneFile:all.json"


def test_the_page_tests_as_we_do() -> None:
    assert 'return "example.onefile:OneFile:all.json"' in USE


@pytest.mark.parametrize("scheme", DRIVERS)
def test_every_scheme_is_on_the_page(scheme: str) -> None:
    assert f"`{scheme}:" in PAGE.read_text()


@pytest.mark.parametrize(
    "url",
    ["", "x", "mysql:x", "sqlite3:x", "example.nothing:OneFile:x", "example.onefile:Nothing:x", "example.onefile", "pathlib:Path:x", "os.path:join:x"],
)
def test_what_names_no_driver(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    with pytest.raises(BadStorageURL):
        open_driver(url, tmp_path)
