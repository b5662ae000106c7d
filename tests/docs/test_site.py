"""The site of the pages, built as `make docs` does it: no warning, every page, and nothing from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)\"|<link\b(?![^>]*rel=\"(?:next|prev)\")[^>]*\bhref=\"([^\"]+)\"")
pytestmark = pytest.mark.timeout(400)  # pages by the hundred


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "site")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_every_page_is_in_it_and_can_be_searched(site: Path) -> None:
    pages = [page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / page).is_file()] == []
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert all(f'"{page.with_suffix("")}"' in index for page in pages)


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loaded = {a or b for page in site.rglob("*.html") for a, b in LOADED.findall(page.read_text(encoding="utf-8"))}
    assert any(path.endswith("furo.css") or "furo.css?" in path for path in loaded)
    assert [path for path in loaded if re.match(r"(?:[a-z]+:)?//", path)] == []
    styles = "".join(sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//[^)]*", styles) == []


def test_files_above_the_pages_are_downloads(site: Path) -> None:
    page = (site / "serving.html").read_text(encoding="utf-8")
    assert re.search(r'href="_downloads/\w+/nginx\.conf"', page)
    assert "Contributing" in (site / "contributing.html").read_text(encoding="utf-8")
