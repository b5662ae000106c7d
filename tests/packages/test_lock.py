"""The lock files name every package that the gateway needs, down to the last, with hashes, and no address."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.lock import LOCKS
from tests.packages.once import ROOT

ENTRY = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.]+)(?: ; [^\\\n]+)?(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)")


def locked(name: str) -> dict[str, str]:
    """Package → version. Whatever is not an entry is a comment."""
    text = (ROOT / name).read_text("utf-8")
    left = [line for line in ENTRY.sub("", text).splitlines() if line and not line.startswith("#")]
    assert left == []
    return {canonicalize_name(entry["name"]): entry["version"] for entry in ENTRY.finditer(text)}


def sources(name: str) -> list[Requirement]:
    files = [word for word in LOCKS[name] if word.endswith(".txt")]
    return [Requirement(line) for file in files for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_required_is_locked_at_a_version_that_fits(name: str) -> None:
    there = locked(name)
    for requirement in sources(name):
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_what_those_require_is_locked_too(name: str) -> None:
    """By what the packages say that are installed here."""
    there = {**locked("requirements.lock"), **locked(name)}
    left, seen = sources(name), set[str]()
    while left:
        requirement = left.pop()
        if not any(requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
            continue
        package = canonicalize_name(requirement.name)
        assert package in there, f"run python -m release.lock: {requirement}"
        assert requirement.specifier.contains(there[package], prereleases=True), requirement
        if package in seen:
            continue
        seen.add(package)
        try:
            needed = distribution(package).requires or ()
        except PackageNotFoundError:
            continue  # of another system
        for line in needed:
            further = Requirement(line)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
                further.marker = None
                left.append(further)
    assert len(seen) > 2


@pytest.mark.parametrize("name", LOCKS)
def test_no_address_is_named(name: str) -> None:
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host|file:", (ROOT / name).read_text())
