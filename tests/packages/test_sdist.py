"""The sdist: every tracked file but those of CI, and the same wheel comes out of it."""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from pathlib import Path

from release.wheel import released
from tests.packages.conftest import Built, build
from tests.packages.once import ROOT, tracked

OF_CI = (".ci/", ".github/")
MADE = ("PKG-INFO", "setup.cfg", "xmpp_rest.egg-info/")


def test_every_tracked_file_but_those_of_ci(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        members = [member for member in archive if not member.isdir()]
        assert {(member.mtime, member.uid, member.uname) for member in archive} == {(released((ROOT / "CHANGELOG.md").read_text()), 0, "root")}
    assert all(member.isreg() for member in members)
    names = {member.name.split("/", 1)[1] for member in members}
    assert {name for name in names if not name.startswith(MADE)} == {n for n in tracked() if not n.startswith(OF_CI) and (ROOT / n).exists()}


def test_the_wheel_made_from_it_is_the_same(built: Built) -> None:
    assert built.wheel.name == built.again.name
    assert digest(built.wheel) == digest(built.again)


def test_what_is_made_later_is_the_same(built: Built, checkout: Path, tmp_path: Path) -> None:
    """Of files that are newer, beside what an earlier build has left."""
    now = time.time()
    for path in checkout.rglob("*.py"):
        os.utime(path, (now, now))
    for kind, made in (("wheel", built.wheel), ("sdist", built.sdist)):
        build(checkout, kind, tmp_path)
        assert digest(tmp_path / made.name) == digest(made)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_day_of_the_release() -> None:
    assert released("# Changelog\n\n## Unreleased\n\n## 1.0.0 (2026-11-30)\n\n## 0.9.0 (2026-01-01)\n") == 1_795_996_800
    assert released("# Changelog\n\n## Unreleased\n") == 315_532_800
