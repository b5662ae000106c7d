"""What `--help`, `--version` and `completion` import: the parser alone, so that they take little longer than Python's own start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("flask", "werkzeug", "gunicorn", "xmpp", "sqlite3", "drivers", "ssl", "xmpp_rest.config", "xmpp_rest.api", "xmpp_rest.service", "xmpp_rest.protocol")
SCRIPT = """
import sys
from importlib import import_module
program, heavy, *words = sys.argv[1:]
sys.argv[:] = [program]
try:
    import_module(program).main(words)
except SystemExit:
    pass
found = [name for name in sys.modules for each in heavy.split(",") if name == each or name.startswith(each + ".")]
print("imported:", *found, file=sys.stderr)
"""
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # coverage imports sqlite3


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["send", "--help"], ["token", "--help"], ["completion", "bash"], ["completion", "zsh"], ["nosuch"]])
def test_the_parser_alone_is_imported(words: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT, "xmpp_rest.__main__", ",".join(HEAVY), *words], env=ENVIRON, capture_output=True, text=True, timeout=60)
    assert ran.stderr.splitlines()[-1].strip() == "imported:", ran


@pytest.mark.parametrize("words", [["--help"], ["help"], ["--version"]])
def test_so_it_is_for_commands(words: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT, "xmpp_rest.cli.__main__", ",".join(HEAVY), *words], env=ENVIRON, capture_output=True, text=True, timeout=60)
    assert ran.stderr.splitlines()[-1].strip() == "imported:", ran
    assert "xmpp-restctl" in ran.stdout


def test_versions() -> None:
    for module, program in ("xmpp_rest", "xmpp-rest"), ("xmpp_rest.cli", "xmpp-restctl"):
        ran = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, timeout=60)
        assert (ran.returncode, ran.stdout.split()[0], len(ran.stdout.split())) == (0, program, 2), ran
