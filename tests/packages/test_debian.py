"""The Debian package: lintian has nothing to say, and one that is installed serves, and leaves nothing when it is purged."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.packages.conftest import require
from tests.packages.debian import run_alone
from tests.packages.once import Once, copy_checkout, run

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def package(once: Once) -> Path:
    """The package, built by dpkg-buildpackage; the folder has its .changes too."""
    require("dpkg-buildpackage", "dh", "dh_python3")

    def fill(folder: Path) -> None:
        (folder / "source").mkdir()
        copy_checkout(folder / "source")
        cache = run(sys.executable, "-m", "pip", "cache", "dir").strip().splitlines()[-1]
        run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=folder / "source", PIP_CACHE_DIR=cache, DPKG_DEB_COMPRESSOR_LEVEL="0")

    [package] = once.folder("debian", fill).glob("*.deb")
    return package


def test_lintian_has_nothing_to_say(package: Path) -> None:
    require("lintian")
    [changes] = package.parent.glob("*.changes")
    said = run("lintian", "--fail-on", "none", changes)
    assert [line for line in said.splitlines() if line.startswith(("E:", "W:"))] == []


def test_what_it_depends_on_and_has(package: Path) -> None:
    fields = run("dpkg-deb", "--field", package)
    minor = re.search(r"3\.(\d+)", run("/usr/bin/python3", "--version"))
    assert minor
    assert f"python3 (>= 3.{minor[1]}), python3 (<< 3.{int(minor[1]) + 1})" in fields
    assert "python3-flask" not in fields
    names = set(re.findall(r" \.(/\S+)$", run("dpkg-deb", "--contents", package), re.MULTILINE))
    assert {"/usr/bin/xmpp-rest", "/usr/bin/xmpp-restctl", "/etc/xmpp-rest/wsgi.ini", "/usr/lib/xmpp-rest/xmpp_rest/drivers/sqlite.py"} <= names
    manuals = {f"/usr/share/man/man{page[-1]}/{page}.gz" for page in ("xmpp-rest.1", "xmpp-restctl.1", "xmpp-rest.ini.5")}
    completions = {f"/usr/share/{place}" for place in ("bash-completion/completions/xmpp-rest", "zsh/vendor-completions/_xmpp-rest")}
    assert manuals | completions <= names
    beside = {name for name in names if not name.endswith("/") and not name.startswith(("/usr/lib/xmpp-rest/", "/usr/share/"))}
    assert {name for name in beside if not name.endswith(".service")} == {"/usr/bin/xmpp-rest", "/usr/bin/xmpp-restctl", "/etc/xmpp-rest/wsgi.ini"}
    assert not {name for name in names if name.startswith(("/usr/lib/xmpp-rest/drivers/", "/usr/lib/xmpp-rest/pip/", "/usr/lib/xmpp-rest/bin/"))}


def test_it_is_installed_serves_and_is_purged(package: Path, base: Path, tmp_path: Path) -> None:
    require("unshare", "chroot")
    run("tar", "--extract", "--file", base, "--directory", tmp_path)
    shutil.copyfile(package, tmp_path / "package.deb")
    shutil.copyfile(Path(__file__).with_name("life_of_a_package.sh"), tmp_path / "life.sh")
    try:
        assert run_alone(tmp_path, "sh", "/life.sh").splitlines()[-1] == "the package is gone"
    finally:
        shutil.rmtree(tmp_path)  # 120 MB
