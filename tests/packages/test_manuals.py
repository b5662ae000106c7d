"""What is generated for the command line: it is not stale, `man` finds nothing wrong with the pages, and shells load the completions."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lint import manuals
from tests.live.conftest import require

PAGES = [path for path in manuals.FILES if path.parent == manuals.MAN]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="made with Python 3.11: argparse of later versions folds and words some of it otherwise")
@pytest.mark.parametrize("path", manuals.FILES, ids=lambda path: path.name)
def test_it_is_not_stale(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == manuals.FILES[path](), "run `make man`"


@pytest.mark.live
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
@pytest.mark.parametrize("width", [60, 80])
def test_man_finds_nothing_wrong(path: Path, width: int) -> None:
    require("man")
    environ = os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": str(width), "MANROFFSEQ": ""}
    ran = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)], env=environ, capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = subprocess.run(["man", "-P", "cat", "-l", str(path)], env=environ, capture_output=True, text=True, timeout=30).stdout
    assert "NAME\n" in shown
    if path.suffix == ".1":
        assert re.search(r"^EXIT STATUS$.*^EXAMPLES$", shown, re.MULTILINE | re.DOTALL)
    assert path.read_text().isascii()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completions_are_printed(shell: str) -> None:
    program = [sys.executable, "-m", "xmpp_rest", "--config", "/nonexistent", "completion", shell]
    assert subprocess.run(program, capture_output=True, text=True, timeout=30).stdout == (manuals.COMPLETIONS / f"xmpp-rest.{shell}").read_text()


BASH = """
source "$1"
for line in "xmpp-rest lis" "xmpp-rest send --sub" "xmpp-rest completion z" "xmpp-restctl registered_u"; do
  COMP_WORDS=($line) COMP_CWORD=$(($(wc -w <<<"$line") - 1)) COMPREPLY=()
  function=$(complete -p "${COMP_WORDS[0]}" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
  "$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
  echo "${COMPREPLY[@]}"
done
"""


@pytest.mark.live
def test_bash_completes_verbs() -> None:
    require("bash")
    command = ["bash", "--norc", "-c", BASH, "bash", str(manuals.COMPLETIONS / "xmpp-rest.bash")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ran.stderr == ""
    assert [line.split() for line in ran.stdout.splitlines()] == [["listen"], ["--subject"], ["zsh"], ["registered_users"]]


class Terminal:
    """A zsh on a terminal, as somebody types."""

    def __init__(self, folder: Path) -> None:
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm", "PS1": "ready> ", "LC_ALL": "C.UTF-8"}
        pid, self.file = pty.fork()
        if pid == 0:
            os.execve(str(shutil.which("zsh")), ["zsh", "-f", "-i"], environ)
        self.pid = pid

    def type(self, text: str, until: str) -> str:
        """What comes after this was typed, as far as `until`, which is a pattern."""
        os.write(self.file, text.encode())
        seen, deadline = "", time.monotonic() + 30
        while not re.search(until, seen):
            assert time.monotonic() < deadline, seen
            if select.select([self.file], [], [], 0.5)[0]:
                seen += os.read(self.file, 65536).decode(errors="replace")
        return seen

    def close(self) -> None:
        os.close(self.file)  # which hangs up
        os.waitpid(self.pid, 0)


@pytest.mark.live
@pytest.mark.parametrize("how", ["source", "fpath"])
def test_zsh_completes_verbs(tmp_path: Path, how: str) -> None:
    require("zsh")
    script = manuals.COMPLETIONS / "xmpp-rest.zsh"
    shutil.copy(script, tmp_path / "_xmpp-rest")
    loading = f"autoload -Uz compinit; compinit -u -D; source {script}" if how == "source" else f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D"
    terminal = Terminal(tmp_path)
    try:
        terminal.type(f"{loading}; print load''ed\n", "loaded\r\n(.|\n)*ready> ")
        for begun, whole in ("xmpp-rest lis", "xmpp-rest listen"), ("xmpp-rest completion z", "xmpp-rest completion zsh"), ("xmpp-restctl registered_u", "xmpp-restctl registered_users"):
            # completed, and printed whole: the beginning of the line is where Control-A goes
            terminal.type(f"{begun}\t\x01print -r -- seen \n", rf"\nseen {whole}\s(.|\n)*ready> ")
    finally:
        terminal.close()
