"""What all verbs of `xmpp-rest` have in common: options, mistakes of the command line, exit codes, and a quick start."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from drivers import BadStorageURL, StorageError
from drivers.lease import LeaseTaken
from xmpp_rest.__main__ import main
from xmpp_rest.cli import failures, prune, streams
from xmpp_rest.cli import serve as serving
from xmpp_rest.cli.verbs import FORMER, RAW, VERBS, make_parser
from xmpp_rest.config.load import SettingsError
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import MEANINGS, CannotStart, Exit

ROOT = Path(__file__).parents[2]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def ended(words: list[str]) -> int:
    """The exit code, however the process would end."""
    try:
        return main(words)
    except SystemExit as e:
        return int(e.code or 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["chekc"], "xmpp-rest: there is no command 'chekc'; did you mean check?"),
        (["qqq"], "xmpp-rest: there is no command 'qqq'; write one of run, check"),
        (["--confg", "x", "check"], "xmpp-rest: there is no option --confg; did you mean --config?"),
        (["--bind", "x"], "xmpp-rest: there is no option --bind; settings are in the configuration"),
        (["check", "--verbos"], "xmpp-rest check: there is no option --verbos; did you mean --verbose?"),
        (["backup", "--quite"], "xmpp-rest backup: there is no option --quite; did you mean --quiet?"),  # FILE is missing too
        (["migrate", "a", "b", "c"], "xmpp-rest migrate: 'c' is one word too many"),
        (["check", "-x"], "xmpp-rest check: there is no option -x; write one of "),
        (["check", "--config"], "xmpp-rest check: argument --config: expected one argument"),
        (["backup"], "xmpp-rest backup: the following arguments are required: FILE"),
        (["import", "x", "--on-conflict", "skpi"], "skip"),
        (["--offlin", "ctl", "status"], "xmpp-rest: there is no option --offlin; did you mean --offline?"),
        (["check", "--conf", "x"], "did you mean --config?"),  # no abbreviations
    ],
)
def test_wrong_words(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(words) == 64
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert says in printed.err


def test_options_before_and_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "wsgi.ini"
    config.write_text("[server]\nbind = 127.0.0.1:0\n")
    place = f"xmpp-rest: configuration: {config}; data folder: {tmp_path}/data\n"
    for words in (["--config", str(config), "-v", "check"], ["check", f"--config={config}", "--verbose"], ["-v", "check", "--config", str(config)]):
        assert main(words) == 0
        assert capsys.readouterr().err == place
    assert main(["check", "--config", str(config)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [*VERBS, *FORMER])
def test_every_verb_has_the_common_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_parser().index_of_verb(["--config", "check", "-v", name, "x"]) == 3
    assert ended([name, "--help"]) == 0
    assert "--config FILE" in capsys.readouterr().out


def test_quick_starts() -> None:
    """`--version` and `--help` import the parser alone: nothing of Flask, the storage, the settings or sockets."""
    program = "import sys, xmpp_rest.__main__ as m\ntry:\n m.main([sys.argv[1]])\nfinally:\n print(*sorted(sys.modules), file=sys.stderr)"
    unmeasured = {k: v for k, v in os.environ.items() if k != "COVERAGE_PROCESS_CONFIG"}
    for word in ("--version", "--help"):
        command = [sys.executable, "-c", program, word]
        ran = subprocess.run(command, cwd=ROOT, env=unmeasured, capture_output=True, text=True, timeout=60, check=True)
        loaded = ran.stderr.split()
        own = {name for name in loaded if name.startswith(("xmpp_rest.", "drivers"))}
        assert {name.split(".")[1] for name in own} == {"__main__", "cli", "gateway"}, own
        assert not {"flask", "gunicorn", "socket", "ssl", "asyncio", "json", "sqlite3", "logging", "email"} & set(loaded)
    assert ran.stdout.startswith("usage: xmpp-rest ")
    assert all(name in ran.stdout for name in (*VERBS, *RAW))
    assert "\n    serve" not in ran.stdout


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (CannotStart(Exit.NOPERM, "one", "two"), 77, "xmpp-rest: one\nxmpp-rest: two\n"),
        (SettingsError(["a", "b\nc"]), 78, "xmpp-rest: a\nxmpp-rest: b c\n"),
        (LeaseTaken("taken"), 75, "xmpp-rest: taken\n"),
        (BadStorageURL("bad"), 78, "xmpp-rest: bad\n"),
        (StorageError("gone"), 69, "xmpp-rest: gone\n"),
        (GatewayError("link-down", "down"), 69, "xmpp-rest: down\n"),
        (GatewayError("outbox-full", "full"), 75, "xmpp-rest: full\n"),
        (GatewayError("admin", "no"), 77, "xmpp-rest: no\n"),
        (GatewayError("account-unknown", "who"), 1, "xmpp-rest: who\n"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 77, "xmpp-rest: x: Permission denied\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 66, "xmpp-rest: x: No such file\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 73, "xmpp-rest: No space left on device\n"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), 69, "xmpp-rest: refused\n"),
        (OSError("odd"), 71, "xmpp-rest: odd\n"),
        (KeyboardInterrupt(), 130, ""),
        (KeyError("x"), 70, "xmpp-rest: a fault of xmpp-rest itself: KeyError: 'x'; -v says where\n"),
    ],
)
def test_every_error_has_its_code(error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(prune, "run", fail)
    assert main(["prune"]) == code
    assert capsys.readouterr().err == says
    main(["prune", "-v"])
    assert ("Traceback" in capsys.readouterr().err) == (code == 70)


def test_all_codes_are_explained() -> None:
    assert set(MEANINGS) == set(Exit)
    given = [*failures.OF_SERVICES.values(), *failures.OF_STATUSES.values(), *failures.OF_SYSTEM.values()]
    assert set(given) <= set(Exit)


def test_a_reader_that_wants_no_more(tmp_path: Path) -> None:
    (tmp_path / "wsgi.ini").write_text("[server]\nbind = 127.0.0.1:0\n")
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "xmpp_rest", "--config", str(tmp_path / "wsgi.ini"), "check"]
    ran = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")


PROGRAMS = [("xmpp_rest", "xmpp-rest: ", 73), ("xmpp_rest.cli", "Error: ", 1)]


@pytest.mark.parametrize(("module", "begins", "code"), PROGRAMS)
def test_output_that_cannot_be_written(module: str, begins: str, code: int) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", module, "--version"]
        ran = subprocess.run(command, cwd=ROOT, env=BUFFERED, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (code, f"{begins}No space left on device\n")


@pytest.mark.parametrize(("module", "begins", "code"), PROGRAMS)
def test_help_that_nobody_reads(module: str, begins: str, code: int) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", module, "--help"]
    ran = subprocess.run(command, cwd=ROOT, env=BUFFERED, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "closed", "code"),
    [("completion bash", ">&-", 0), ("--version", ">&-", 0), ("send a@b", "<&-", 64), ("snd", "2>&-", 64), ("send --bogus", "<&- >&- 2>&-", 64)],
)
def test_closed_streams(words: str, closed: str, code: int) -> None:
    """What belongs on one of them does not appear on another."""
    command = ["sh", "-c", f'exec "$0" -m xmpp_rest {words} {closed}', sys.executable]
    ran = subprocess.run(command, cwd=ROOT, env=BUFFERED, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == code
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == (closed == "<&-")
    assert "fault" not in ran.stderr


def test_a_pipe_that_is_not_the_output() -> None:
    """That the reader of the output has gone is not a failure; that another connection has broken is one."""

    def fail() -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with open(os.devnull, "w") as nowhere, mock.patch.object(sys, "stdout", nowhere):
        assert streams.ended(fail, lambda e: 69 if isinstance(e, BrokenPipeError) else 70) == 69


def test_words_after_two_dashes_are_no_options() -> None:
    parser = make_parser()
    for words in (["send", "a@b", "--", "--to"], ["send", "--", "a@b", "--to"], ["send", "--wait", "3", "--", "a@b", "--to"]):
        found = parser.parse_args(words)
        assert (found.recipient, found.text, found.to) == ("a@b", "--to", [])
    mixed = parser.parse_args(["send", "a@b", "--subject", "x y", "hi", "--quiet"])
    assert (mixed.recipient, mixed.text, mixed.subject, mixed.quiet) == ("a@b", "hi", "x y", True)


def test_what_happens_is_said_if_asked(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    command = [sys.executable, "-m", "xmpp_rest", "migrate", f"flatfile:{tmp_path}/from", f"sqlite:{tmp_path}/to.sqlite", "--dry-run"]
    for more, says in (([], ""), (["-v"], f"xmpp-rest: reads flatfile:{tmp_path}/from, and writes nothing\n")):
        ran = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert (ran.stdout, ran.stderr) == ("would copy: 0 stores, 0 items\nthere is nothing to copy\n", says)


@pytest.mark.parametrize(("code", "is_parent", "exits"), [(0, True, 0), (None, True, 0), (3, True, 70), ("Error: x", True, 70), (3, False, 3), (0, False, 0)])
def test_codes_of_gunicorn(code: int | str | None, is_parent: bool, exits: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker ends with its own: the arbiter knows them."""

    def serve() -> None:
        sys.exit(code)

    parent = os.getpid() if is_parent else os.getppid()
    if is_parent:
        assert serving._code_of(serve, parent) == exits
        assert capsys.readouterr().err == ("xmpp-rest: Error: x\n" if isinstance(code, str) else "")
    else:
        with pytest.raises(SystemExit) as ended:
            serving._code_of(serve, parent)
        assert ended.value.code == exits
    assert serving._code_of(lambda: None, parent) == 0
