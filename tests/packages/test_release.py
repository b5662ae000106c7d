"""Versions agree, and `make dist` builds what is a release and refuses what is not."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

import pytest

from release.dist import main
from release.versions import MADE, PLACES, differing, stale, undated, unsorted
from tests.packages.once import ROOT, run
from xmpp_rest import __version__

PARTS = ("pyproject.toml", "CHANGELOG.md", "docs/openapi.json", *PLACES)


def test_every_file_has_the_version() -> None:
    assert list(differing(ROOT)) == []
    assert __version__ == "1.0.0"
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## (\d.*) \(", changelog, re.MULTILINE)
    assert newest is None or newest[1] == __version__


def test_releases_in_the_changelog_are_sorted() -> None:
    assert list(unsorted(ROOT)) == []


@pytest.mark.parametrize("section", ["- Loose.\n", "### Operations\n\n- Of an area.\n", "### Added\n\n- A.\n\n### Mended\n\n- B.\n"])
def test_a_release_that_is_not_sorted(tree: Path, section: str) -> None:
    path = tree / "CHANGELOG.md"
    path.write_text(f"# Changelog\n\n## Unreleased\n\n- Fine.\n\n## 0.9.0 (2026-01-01)\n\n{section}")
    assert list(unsorted(tree))


def test_generated_files_are_as_their_generators_write_them() -> None:
    assert list(stale(ROOT)) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that are looked at, with a changelog of a release."""
    for name in PARTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    write_changelog(tmp_path)
    return tmp_path


def write_changelog(root: Path, top: str = "") -> None:
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n{top}## {__version__} (2026-11-30)\n\n### Added\n\n- All of it.\n")


def test_a_tree_of_a_release(tree: Path) -> None:
    assert [*differing(tree), *undated(tree), *unsorted(tree)] == []


@pytest.mark.parametrize("name", ["pyproject.toml", "docs/openapi.json", *PLACES])
def test_a_version_that_differs(tree: Path, name: str) -> None:
    path = tree / name
    path.write_text(path.read_text("utf-8").replace(__version__, "1.0.1"), "utf-8")
    said = list(differing(tree))
    assert said
    assert name == "pyproject.toml" or [sentence.split()[0] for sentence in said] == [name]


@pytest.mark.parametrize("top", ["## Unreleased\n\n- More.\n\n", "## 1.0.1\n\n- More.\n\n"])
def test_a_section_without_a_date(tree: Path, top: str) -> None:
    write_changelog(tree, top)
    assert any("without a date" in sentence for sentence in undated(tree))


def test_no_section_of_the_version(tree: Path) -> None:
    write_changelog(tree, "## 9.9.9 (2026-12-01)\n\n- More.\n\n")
    assert list(undated(tree)) == [f"the newest section of CHANGELOG.md is not that of {__version__}"]
    (tree / "CHANGELOG.md").write_text("# Changelog\n")
    assert list(undated(tree)) == [f"the newest section of CHANGELOG.md is not that of {__version__}"]


def test_it_refuses_with_all_reasons(checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "tree"
    shutil.copytree(checkout, root)
    write_changelog(root, "## Unreleased\n\n")
    made = [*MADE, "docs/man/xmpp-rest.1", "xmpp_rest/cli/completions/xmpp-rest.zsh"]
    for name in made:
        (root / name).write_text((root / name).read_text("utf-8") + "\n", "utf-8")
    assert main(root) == 1
    said = capsys.readouterr().err
    assert "Unreleased" in said
    assert all(f"{name} is stale" in said for name in made)
    assert not (root / "dist").exists()


@pytest.mark.live
def test_what_it_makes_of_a_release(checkout: Path, tmp_path: Path) -> None:
    """The whole: what the wheel requires is installed from where pip looks."""
    root = tmp_path / "tree"
    shutil.copytree(checkout, root)
    write_changelog(root)
    said = run(sys.executable, "-m", "release.dist", cwd=root)
    made = {path.name: path.read_bytes() for path in (root / "dist").iterdir()}
    sums = made.pop("SHA256SUMS").decode()
    assert sums.strip() in said
    assert dict(line.split("  ")[::-1] for line in sums.splitlines()) == {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    assert set(made) == {f"xmpp_rest-{__version__}.tar.gz", f"xmpp_rest-{__version__}-py3-none-any.whl"}
