"""Where the version of the project is written, and what keeps a tree from being released."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MADE = {
    "wsgi.ini": ("xmpp_rest.config.manual", "ini"),
    "docs/settings.md": ("xmpp_rest.config.manual", "markdown"),
    "docs/openapi.json": ("xmpp_rest.api.openapi",),
}
"""Generated file → the module that writes it to standard output, and its arguments."""
HEADING = re.compile(r"^## (?P<version>.+?)(?: \((?P<date>\d{4}-\d\d-\d\d)\))?$", re.MULTILINE)
PLACES = {
    "xmpp_rest/__init__.py": r'^__version__ = "(.+)"$',
    "debian/changelog": r"^xmpp-rest \((.+)\) \w+; urgency=",
    "Containerfile": r'org\.opencontainers\.image\.version="(.+)"',
}
"""File → the first match is the version."""


def versions(root: Path) -> dict[str, str]:
    """File → the version that it has."""
    found = {"pyproject.toml": str(tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"])}
    for name, pattern in PLACES.items():
        match = re.search(pattern, (root / name).read_text("utf-8"), re.MULTILINE)
        found[name] = match[1] if match else ""
    found["docs/openapi.json"] = str(json.loads((root / "docs/openapi.json").read_text("utf-8"))["info"]["version"])
    return found


def differing(root: Path) -> Iterator[str]:
    """A sentence for each file whose version is not that of pyproject.toml."""
    all_of_them = versions(root)
    right = all_of_them["pyproject.toml"]
    for name, version in all_of_them.items():
        if version != right:
            yield f"{name} has the version {version or '(none)'}, pyproject.toml has {right}"


def undated(root: Path) -> Iterator[str]:
    """A sentence for each section of the changelog that is not a release, and one if the newest is not the version's."""
    headings = list(HEADING.finditer((root / "CHANGELOG.md").read_text("utf-8")))
    for heading in headings:
        if not heading["date"]:
            yield f"CHANGELOG.md has a section without a date: {heading['version']}; write ## VERSION (YYYY-MM-DD)"
    version = versions(root)["pyproject.toml"]
    if not headings or headings[0]["version"] != version:
        yield f"the newest section of CHANGELOG.md is not that of {version}"


KINDS = ("Added", "Changed", "Fixed", "Removed")


def unsorted(root: Path) -> Iterator[str]:
    """A sentence for each line of a dated section that stands below no heading of KINDS."""
    kind = dated = ""
    for line in (root / "CHANGELOG.md").read_text("utf-8").splitlines():
        if heading := HEADING.match(line):
            kind, dated = "", heading["date"] or ""
        elif line.startswith("### "):
            kind = line.removeprefix("### ")
        if dated and line.startswith(("- ", "### ")) and kind not in KINDS:
            yield f"CHANGELOG.md: {line[:60]} stands below none of {', '.join(KINDS)}"


MANUALS = """
from lint.manuals import FILES, ROOT
for path, text in FILES.items():
    if path.read_text(encoding="utf-8") != text():
        print(path.relative_to(ROOT))
"""
"""Prints the names of manual pages and completions that are not what `make man` would write."""


def stale(root: Path) -> Iterator[str]:
    """A sentence for each generated file that is not what its generator writes."""
    for name, (module, *arguments) in MADE.items():
        ran = subprocess.run([sys.executable, "-m", module, *arguments], cwd=root, capture_output=True, timeout=60, check=False)
        if ran.returncode:
            yield f"{name} cannot be made: {ran.stderr.decode()}"
        elif ran.stdout != (root / name).read_bytes():
            yield f"{name} is stale: run make manual openapi"
    ran = subprocess.run([sys.executable, "-c", MANUALS], cwd=root, capture_output=True, timeout=60, check=False)
    if ran.returncode:
        yield f"the manual pages cannot be made: {ran.stderr.decode()}"
    for name in ran.stdout.decode().splitlines():
        yield f"{name} is stale: run make man"
