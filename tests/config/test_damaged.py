"""Damaged configurations: whatever is in the file, there are sentences and no traceback, and one check finds all mistakes."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.live.child import free_port
from xmpp_rest.__main__ import main
from xmpp_rest.config import manual
from xmpp_rest.config.load import read_settings

GOOD = """\
[server]
bind = 127.0.0.1:0
data_dir = data
workers = 1

[gateway]
domain = gateway.example

[link]
kind = component
host = 127.0.0.1
port = 5347
secret = sesame

[storage]
url = sqlite:gateway.sqlite

[auth]
admins = admin@<domain>, romeo@gateway.example

[callback.bot]
url = http://127.0.0.1:5000/
address = bot@<domain>

[rights.figures]
who = account
what = stats, [tag:accounts]
"""
ODD = ["\0", "\ud7ff", "é", "\u2028", "\x1b[0m", "=", ":", "#", " ; x", "[", "]", "[]", '"', "'", "\t", "\r", "  ", "%s", "<domain>", "@", "/", "//", "..", ",", "9" * 40, "-1", "x" * 5000, "_file"]


def damaged(dice: random.Random, text: str) -> str:
    """The text with some characters, words and lines removed, doubled, moved or replaced."""
    lines = text.split("\n")
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(lines))
        line = lines[place]
        at = dice.randint(0, len(line))
        match dice.randrange(7):
            case 0:
                lines[place] = line[:at] + dice.choice(ODD) + line[at:]
            case 1:
                lines[place] = line[:at] + line[at + dice.randint(1, 5) :]
            case 2:
                lines.insert(place, dice.choice(lines))
            case 3:
                lines.insert(dice.randrange(len(lines)), lines.pop(place))
            case 4:
                lines[place] = f"{line.partition('=')[0]}= {dice.choice(ODD)}{dice.choice(ODD)}"
            case 5:
                lines[place] = f" {line}"
            case 6:
                lines[place] = line.partition("=")[0] + dice.choice(lines)
    return "\n".join(lines)


def written(folder: Path, text: str) -> Path:
    path = folder / "wsgi.ini"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@pytest.mark.parametrize("seed", range(8))
def test_what_is_damaged_is_read(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    whole = manual.ini().replace("\n;", "\n")
    wrong = 0
    for _ in range(100):
        reading = read_settings(written(tmp_path, damaged(dice, dice.choice([GOOD, GOOD, whole]))), {})
        assert reading.settings.server.threads
        assert bool(reading.wrong) <= bool(reading.problems)
        assert not any("sesame" in problem for problem in reading.problems)
        wrong += bool(reading.problems)
    assert wrong > 50


@pytest.mark.parametrize("seed", range(4))
def test_what_is_damaged_is_checked(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(1000 + seed)
    for _ in range(25):
        path = written(tmp_path, damaged(dice, GOOD))
        code = main(["check", "--config", str(path)])
        printed = capsys.readouterr()
        assert printed.out.startswith(f"reads {path}\n")
        assert code in (0, 69, 71, 73, 78), (path.read_bytes(), printed.err)
        assert all(line.startswith("xmpp-rest: ") for line in printed.err.splitlines()), printed.err
        assert bool(code) == any(not line.startswith("xmpp-rest: remark: ") for line in printed.err.splitlines())
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["wsgi.ini"]


def test_all_mistakes_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of lines, of values, of values that do not go together, and of what is tried."""
    text = GOOD.replace("port = 5347", "port = none").replace("workers = 1", "wokers = 1").replace("admins = admin@<domain>, romeo@gateway.example", "admins = admin")
    text = text.replace("127.0.0.1:0", "192.0.2.1:80").replace("data_dir = data", "data_dir = wsgi.ini").replace("who = account", "who account")
    path = written(tmp_path, text)
    assert main(["check", "--config", str(path)]) == 78
    lines = [line.removeprefix("xmpp-rest: ").removeprefix(f"{path}").removeprefix(": ") for line in capsys.readouterr().err.splitlines()]
    assert [line.partition(" =")[0].partition(";")[0] for line in lines] == [
        ", line 26: [rights.figures] who: there is no",
        "[server] wokers: there is no such setting",
        "[link] port",
        "[auth] admins: admin: is the address of a domain, so nobody could administer the gateway",
        "[server] bind",
        "[server] data_dir",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bind = 0\nthreads = 3\nbind = 1\nwhat\n[gateway]\ndomain = x.example\n", "line 1: bind: there is no section above it; write the one"),
        ("server]\nbind = 0\nbind = 1\nwhat\n= 3\n", "line 1: the [ of a section is missing"),
        ("[server\nbind = 0\nbind = 1\n", "line 1: the ] of a section is missing"),
        ("[server]\nbind = 127.0.0.1:0 ;here\n", "a comment needs a line of its own"),
        ("[server]\nbind = 127.0.0.1:0;here\n", "a comment needs a line of its own"),
        ("[server]\nbind = 127.0.0.1:0 # here\n", "a comment needs a line of its own"),
        ("[storage]\nurl = sqlite:a\0b\n", "write one line without control characters"),
        ("[storage]\nurl = sqlite:a\n b\n", "write one line without control characters"),
    ],
)
def test_one_mistake_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (problem,) = read_settings(written(tmp_path, text), {}).problems
    assert says in problem
    assert problem.startswith(f"{tmp_path}/wsgi.ini")
    assert "\n" not in problem


def test_a_wrong_value_is_no_reason_to_try_its_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("[server]\nbind = nowhere\ndata_dir = 'x'\n", "bind = 192.0.2.1:1\n", f"[server]\nbind = 127.0.0.1:{free_port()} ; here\n"):
        assert main(["check", "--config", str(written(tmp_path, text))]) == 78
        assert not [line for line in capsys.readouterr().err.splitlines() if "[server] bind = 127.0.0.1:8080" in line]


HUGE = {
    "lines": b"x\n" * 5_000_000,
    "keys": b"[server]\nbind = 127.0.0.1:0\n" + b"".join(b"k%d = 1\n" % number for number in range(700_000)),
    "sections": b"".join(b"[s%d]\n" % number for number in range(700_000)),
    "one value": b"[server]\ndata_dir = " + b"x" * 10_000_000,
    "a value of many lines": b"[server]\ndata_dir = x\n" + b" x\n" * 3_000_000,
    "more than is read": b"# comment\n" * 2_000_000,
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE)
@pytest.mark.timeout(60)
def test_what_is_huge(tmp_path: Path, content: bytes) -> None:
    """It is refused with one short sentence, and without looking at all of it."""
    (tmp_path / "wsgi.ini").write_bytes(content)
    start = time.process_time()
    (problem,) = read_settings(tmp_path / "wsgi.ini", {}).problems
    assert len(problem) < 1000
    assert time.process_time() - start < 2


def test_what_never_ends() -> None:
    (problem,) = read_settings(Path("/dev/zero"), {}).problems
    assert problem.startswith("/dev/zero: is larger than 16 MB, so it is not a configuration; name the file with --config")


def test_comments_count_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "wsgi.ini").write_text("# comment\n\n" * 100_000 + "[server]\r\nthreads = 7\r\n")
    assert read_settings(tmp_path / "wsgi.ini", {}).settings.server.threads == 7


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 2000, "é" * 130])
def test_paths_that_no_system_has(tmp_path: Path, path: str) -> None:
    (tmp_path / "wsgi.ini").write_text(f"[server]\ndata_dir = {path}\n")
    (problem,) = read_settings(tmp_path / "wsgi.ini", {}).problems
    assert "write the path of a folder that is shorter" in problem
    assert len(problem) < 500 + len(str(tmp_path))
