"""What takes seconds to build is built once for a run of the tests, whichever of their processes needs it first."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Once:
    """Folders that are made once, and shared by all processes that run the tests."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        base = factory.getbasetemp()
        self._base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packages"
        self._base.mkdir(exist_ok=True)

    def folder(self, name: str, fill: Callable[[Path], None]) -> Path:
        """The folder of this name, which `fill` has filled. What fails in one process is tried again in the next one."""
        folder, done = self._base / name, self._base / f"{name}.done"
        with (self._base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder


def run(*command: str | Path, cwd: Path | None = None, seconds: float = 300, **environ: str) -> str:
    """What the command prints. Fails with all of it if the command does."""
    ran = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **environ}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, f"{command} ended with {ran.returncode}:\n{ran.stdout[-8000:]}"
    return ran.stdout


def tracked() -> list[str]:
    """The files of the project, as git knows them."""
    return run("git", "ls-files", "-z", cwd=ROOT).rstrip("\0").split("\0")


def copy_checkout(folder: Path) -> None:
    """The tracked files as they are in this checkout, without what was built in it."""
    for name in tracked():
        if (ROOT / name).exists():  # else it is being removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
