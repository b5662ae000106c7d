"""The workflow of the forge may read alone, has bounds, and runs what CONTRIBUTING.md names."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.packages.once import ROOT

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


@pytest.fixture
def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    return loaded


def test_it_may_read_alone_and_no_job_runs_forever(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 120, name
        assert "permissions" not in job, name


def test_what_it_runs(workflow: dict[str, Any]) -> None:
    commands = {step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]}
    assert {".ci/run", "make dist"} <= commands
    assert any(command.startswith("make docs") for command in commands)
    assert workflow["jobs"]["python"]["strategy"]["matrix"]["python"] == PYTHONS
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert [found[1] for found in (re.fullmatch(r".*Python :: (3\.\d+)", line) for line in classifiers) if found] == PYTHONS


def test_the_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wanted = {"run", "test", "lint", "format", "coverage", "bench", "docs", "man", "openapi", "dist", "manual", "venv", "clean", "help"}
    assert wanted <= targets
