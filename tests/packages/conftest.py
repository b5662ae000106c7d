"""Fixtures: what is shipped, built once from a copy of the checkout."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.packages.debian import make_base
from tests.packages.once import ROOT, Once, copy_checkout, run, tracked

HERE = Path(__file__).parent


class Built(NamedTuple):
    """What `python -m build` made."""

    sdist: Path
    wheel: Path
    again: Path  # the wheel made from the sdist, under another umask and at another time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is built and installed takes its time, and the first test waits for it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))


def require(*programs: str) -> None:
    """Skip where a program is not installed, or fail under XMPP_REST_REQUIRE_LIVE=1."""
    if lacking := [program for program in programs if shutil.which(program) is None]:
        give_up = pytest.fail if os.environ.get("XMPP_REST_REQUIRE_LIVE") == "1" else pytest.skip
        give_up(f"not installed: {', '.join(lacking)} (on Debian: apt-get install what .ci/run names)")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    require("git")
    if not (ROOT / ".git").exists():
        pytest.skip("what is shipped is compared with what git tracks, and this is not a clone")
    return Once(tmp_path_factory)


@pytest.fixture(scope="session")
def shipped(once: Once) -> list[str]:
    """The tracked files of the packages, as the checkout has them."""
    return [name for name in tracked() if name.startswith(("xmpp_rest/", "drivers/")) and (ROOT / name).exists()]


@pytest.fixture(scope="session")
def checkout(once: Once) -> Path:
    """A copy of the tracked files."""
    return once.folder("checkout", copy_checkout)


def build(source: Path, kind: str, target: Path) -> None:
    """One of `sdist` and `wheel`, with the tools that are installed here."""
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", target, source)


@pytest.fixture(scope="session")
def built(once: Once, checkout: Path) -> Built:
    """sdist, wheel, and the wheel made from the sdist."""

    def fill(folder: Path) -> None:
        build(checkout, "sdist", folder / "dist")
        build(checkout, "wheel", folder / "dist")
        [sdist] = (folder / "dist").glob("*.tar.gz")
        before = os.umask(0o077)
        try:
            with tarfile.open(sdist) as archive:
                archive.extractall(folder / "unpacked", filter="data")
            [source] = (folder / "unpacked").iterdir()
            build(source, "wheel", folder / "again")
        finally:
            os.umask(before)

    folder = once.folder("dist", fill)
    [sdist], [wheel], [again] = ((folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl"), (folder / "again").glob("*.whl"))
    return Built(sdist, wheel, again)


@pytest.fixture(scope="session")
def installed(once: Once, built: Built) -> Path:
    """The folder of the programs of an environment in which the wheel is installed. Its dependencies are those of this environment, without our checkout:
    a path in a .pth file has no .pth files of its own."""

    def fill(folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        python = folder / "bin/python"
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}, scheme="venv"))
        run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", built.wheel)
        (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    return once.folder("venv", fill) / "bin"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with a program of somebody else's in it, whose files have names that the checkout has too."""
    (tmp_path / "app.py").write_text("raise SystemExit('this is not the gateway')\n")
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers/__init__.py").write_text("RAIL = 'driven by steam'\n")
    return tmp_path


@pytest.fixture(scope="session")
def base(once: Once) -> Path:
    """A small Debian with Python, as a tar file: the base of the container, and where the package is installed."""
    require("mmdebstrap")
    return once.folder("base", lambda folder: make_base(folder / "base.tar")) / "base.tar"
