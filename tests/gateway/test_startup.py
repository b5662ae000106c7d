"""What cannot start says why in one line with section and key, at once, with an exit code of its own, and makes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.child import free_port
from xmpp_rest.__main__ import main

ROOT = Path(__file__).parents[2]
Ran = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("XMPP_REST_")} | more


def run(command: list[str], **options: object) -> Ran:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **options)  # type: ignore[call-overload,no-any-return]


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port where another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def plain_file(folder: Path) -> None:
    (folder / "file").write_text("no SQLite database, and no folder\n" * 100)


def nothing(_: Path) -> None:
    """Nothing needs to be there."""


CASES: dict[str, tuple[str, Callable[[Path], None], int, list[str]]] = {
    "an address of another machine": ("[server]\nbind = 192.0.2.1:8080\n", nothing, 71, ["[server] bind = 192.0.2.1:8080: ", "not an address of this machine"]),
    "a name without address": ("[server]\nbind = gateway.invalid:8080\n", nothing, 71, ["[server] bind = gateway.invalid:8080: ", "no address"]),
    "no address": ("[server]\nbind = nonsense\n", nothing, 78, ["[server] bind = 'nonsense': ", "HOST:PORT"]),
    "a folder that is a file": ("[server]\ndata_dir = file\n", plain_file, 73, ["[server] data_dir = ", "is a file", "path of a folder"]),
    "a folder below a file": ("[server]\ndata_dir = file/data\n", plain_file, 73, ["[server] data_dir = ", "is a file"]),
    "a folder that cannot be made": ("[server]\ndata_dir = /proc/self/data\n", nothing, 73, ["[server] data_dir = /proc/self/data: ", "another folder"]),
    "a missing file of a secret": ("[link]\nkind = component\nsecret_file = gone\n", nothing, 78, ["[link] secret_file = 'gone': ", "No such file"]),
    "no secret": ("[link]\nkind = component\n", nothing, 78, ["[link] secret: ", "kind = none"]),
    "no database": ("[storage]\nurl = sqlite:{folder}/file\n", plain_file, 69, ["[storage] url = sqlite:/", "not a SQLite database"]),
    "a database below a file": ("[storage]\nurl = sqlite:{folder}/file/x\n", plain_file, 69, ["[storage] url = sqlite:/", "is a file"]),
    "a folder as database": ("[storage]\nurl = sqlite:{folder}\n", nothing, 78, ["[storage] url = sqlite:/", "path of a file"]),
    "a file as folder of files": ("[storage]\nurl = flatfile:{folder}/file\n", plain_file, 78, ["[storage] url = flatfile:/", "path of a folder"]),
    "no database server": ("[storage]\nurl = postgresql://u:hidden@127.0.0.1:1/x\n", nothing, 69, ["[storage] url = postgresql://u@127.0.0.1:1/x: ", "cannot be reached"]),
    "no driver": ("[storage]\nurl = gateway.sqlite\n", nothing, 78, ["[storage] url: ", "sqlite:gateway.sqlite"]),
    "a driver that is not there": ("[storage]\nurl = no.such:Driver:x\n", nothing, 78, ["[storage] url = no.such:…: ", "cannot load"]),
    "no worker class": ("[server]\nworker_class = xmpp_rest.serving.worker.Wroker\n", nothing, 78, ["[server] worker_class = ", "Wroker"]),
    "nobody who administers": ("[auth]\nadmins = admin\n", nothing, 78, ["[auth] admins: ", "admin@localhost"]),
}
COMMANDS = {
    "xmpp-rest": [sys.executable, "-m", "xmpp_rest"],
    "app.py": [sys.executable, str(ROOT / "app.py")],
    "gunicorn app:app": [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:0", "app:app"],
    "gunicorn app:create_app()": [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:0", "app:create_app()"],
    "gunicorn --preload": [sys.executable, "-m", "gunicorn", "--no-control-socket", "--preload", "-b", "127.0.0.1:0", "app:create_app()"],
}


def write(folder: Path, text: str) -> Path:
    """A configuration that listens somewhere free, unless `text` says where."""
    text = text.replace("{folder}", str(folder))
    if "bind" not in text:
        text = text.replace("[server]\n", "[server]\nbind = 127.0.0.1:0\n") if "[server]" in text else f"{text}[server]\nbind = 127.0.0.1:0\n"
    (folder / "wsgi.ini").write_text(text)
    return folder / "wsgi.ini"


def own_lines(ran: Ran) -> list[str]:
    """What standard error says beside the log, in gunicorn's form or ours."""
    return [line.removeprefix("Error: ") for line in ran.stderr.splitlines() if line and not line.startswith(("[20", "20"))]


def prepared(folder: Path, case: str) -> tuple[Path, set[str]]:
    """The configuration of a case, and what the folder has then."""
    if "postgresql" in CASES[case][0]:
        pytest.importorskip("psycopg")
    text, prepare, _, _ = CASES[case]
    config = write(folder, text)
    prepare(folder)
    return config, below(folder)


def assert_said(case: str, lines: list[str]) -> None:
    (line,) = lines
    assert "hidden@" not in line
    for word in CASES[case][3]:
        assert word in line


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_start(tmp_path: Path, case: str) -> None:
    config, before = prepared(tmp_path, case)
    ran = run([sys.executable, "-m", "xmpp_rest"], cwd=ROOT, env=environment(XMPP_REST_CONFIG=str(config)))
    assert ran.returncode == CASES[case][2], ran
    assert_said(case, own_lines(ran))
    assert below(tmp_path) - {"data"} == before


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_by_a_check(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process; `test_what_another_user_may_not` has the exit code of one."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    config, before = prepared(tmp_path, case)
    assert main(["--config", str(config), "check"]) == CASES[case][2]
    assert_said(case, capsys.readouterr().err.splitlines())
    assert below(tmp_path) - {"data"} == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", ["a folder below a file", "no database", "a missing file of a secret", "nobody who administers"])
def test_every_way_to_start(tmp_path: Path, case: str, command: str) -> None:
    """gunicorn has exit codes of its own: 4 for an application that cannot be loaded, 1 before the fork."""
    text, prepare, code, says = CASES[case]
    config = write(tmp_path, text)
    prepare(tmp_path)
    environ = environment(XMPP_REST_CONFIG=str(config), PYTHONPATH=str(ROOT))
    ran = run(COMMANDS[command], cwd=tmp_path, env=environ)
    assert ran.returncode == {"gunicorn --preload": 1}.get(command, 4 if "gunicorn" in command else code), ran
    (line,) = own_lines(ran)
    assert line.startswith("xmpp-rest: ")
    for word in says:
        assert word in line


@pytest.mark.parametrize("command", ["xmpp-rest", "app.py", "make"])
def test_a_port_that_is_taken(tmp_path: Path, taken: int, command: str) -> None:
    environ = environment(XMPP_REST_SERVER_BIND=f"127.0.0.1:{taken}", XMPP_REST_SERVER_DATA_DIR=str(tmp_path / "data"))
    if command == "make":
        if not shutil.which("make") or not (ROOT / ".venv" / ".run").exists():
            pytest.skip("make run would make an environment first")
        ran = run(["make", "--silent", "-o", ".venv/.run", "run"], cwd=ROOT, env=environ)
    else:
        ran = run(COMMANDS[command], cwd=ROOT, env=environ)
    assert ran.returncode == (2 if command == "make" else 71)
    line, *rest = own_lines(ran)
    assert line == f"xmpp-rest: [server] bind = 127.0.0.1:{taken}: another program listens there; end it, or write another port"
    assert rest == [] or (command == "make" and "Error 71" in rest[0])
    assert below(tmp_path) == set()


AS_NOBODY = """
import os, sys
import encodings.idna, encodings.utf_8_sig, gunicorn.util, drivers.sqlite, xmpp_rest.serving.worker, xmpp_rest.cli.check, xmpp_rest.cli.configuration, xmpp_rest.cli.failures, xmpp_rest.cli.prune, xmpp_rest.cli.serve, xmpp_rest.__main__ as command  # which the other user may not be able to read
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(command.main(sys.argv[1:]))
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[server]\ndata_dir = locked\n", 73, "[server] data_dir = "),
        ("[server]\ndata_dir = locked/data\n", 73, "[server] data_dir = "),
        ("[server]\ndata_dir = closed\n", 73, "[server] data_dir = "),
        ("[server]\nbind = 127.0.0.1:1\ndata_dir = mine\n", 71, "[server] bind = 127.0.0.1:1: this user may not listen there; write a port above 1023"),
        ("[storage]\nurl = sqlite:{folder}/locked/x.sqlite\n[server]\ndata_dir = mine\n", 69, "[storage] url = sqlite:/"),
        ("[link]\nkind = component\nsecret_file = secret\n[server]\ndata_dir = mine\n", 78, "[link] secret_file = 'secret': cannot be read: Permission denied"),
    ],
)
@pytest.mark.parametrize("words", [[], ["check"]], ids=["serve", "check"])
def test_what_another_user_may_not(shared: Path, text: str, code: int, says: str, words: list[str]) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    (shared / "locked").mkdir(mode=0o755)
    (shared / "closed").mkdir(mode=0o700)
    (shared / "closed" / "gateway.sqlite").touch()
    (shared / "mine").mkdir()
    os.chown(shared / "mine", 65534, 65534)
    (shared / "locked" / "x.sqlite").write_text("x")
    (shared / "locked" / "x.sqlite").chmod(0o600)
    os.chown(shared / "locked" / "x.sqlite", 1, 1)  # of root it might be a file of a Prosody that another test runs, and remarked on
    (shared / "secret").write_text("x")
    (shared / "secret").chmod(0o600)
    unmeasured = {k: v for k, v in environment().items() if k != "COVERAGE_PROCESS_CONFIG"}  # nobody may not write there, and says so on stderr
    ran = run([sys.executable, "-c", AS_NOBODY, "--config", str(write(shared, text)), *words], cwd=ROOT, env=unmeasured)
    assert ran.returncode == code, ran
    lines = own_lines(ran)
    assert len(lines) == 1, ran.stderr
    assert says in lines[0]
    assert "Traceback" not in ran.stderr


def test_a_folder_that_another_user_may_not_use(shared: Path) -> None:
    """Commands that make no storage: rights are what is lacking, as far as this user can know."""
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    (shared / "data").mkdir(mode=0o700)
    unmeasured = {k: v for k, v in environment().items() if k != "COVERAGE_PROCESS_CONFIG"}
    ran = run([sys.executable, "-c", AS_NOBODY, "--config", str(write(shared, "")), "--offline", "prune"], cwd=ROOT, env=unmeasured)
    assert ran.returncode == 77, ran
    (line,) = own_lines(ran)
    assert line.startswith(f"xmpp-rest: [server] data_dir = {shared}/data: the user nobody may not use it; run the command as the user of the gateway")


@pytest.mark.parametrize("words", [["--port", "9000"], ["-c", "wsgi.ini", "check"], ["--bind=127.0.0.1:1"]])
def test_an_option_that_there_is_not(words: list[str]) -> None:
    ran = run([sys.executable, "-m", "xmpp_rest", *words], cwd=ROOT, env=environment())
    assert ran.returncode == 64
    assert f"there is no option {words[0].partition('=')[0]};" in ran.stderr


LOADING = """
import os, signal
os.kill(os.getppid(), signal.SIGTERM)  # so that no other worker comes
os.kill(os.getpid(), signal.SIGTERM)
def app(environ, start_response):
    return []
"""


def test_a_stop_while_the_application_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "loading.py").write_text(LOADING)
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:0", "-k", "xmpp_rest.serving.worker.Worker", "loading:app"]
    ran = run(command, cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT)))
    assert ran.returncode == 0, ran.stderr
    assert own_lines(ran) == []


SERVING = """
import os, signal, sys
from xmpp_rest.config.load import load_settings
from xmpp_rest.serving.server import Server

def load(settings, is_first):
    os.kill(os.getppid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    return lambda environ, start_response: []

settings = load_settings(None, {"XMPP_REST_SERVER_BIND": f"127.0.0.1:{sys.argv.pop()}", "XMPP_REST_SERVER_WORKERS": "1"})
Server(settings, load, on_start=lambda app, parent: print("started"), on_stop=lambda app: print("stopped"), reread=None).run()
"""


def test_a_worker_that_is_told_to_stop_while_it_loads_takes_no_lead(tmp_path: Path) -> None:
    """It would connect, only to disconnect."""
    ran = run([sys.executable, "-c", SERVING, str(free_port())], cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT)))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["stopped"]


def test_the_package_of_a_database_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("psycopg", "drivers.postgres", "drivers.sql.postgres"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    config = write(tmp_path, "[storage]\nurl = postgresql://u:hidden@gateway.invalid/x\n")
    assert main(["--config", str(config), "run"]) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("xmpp-rest: [storage] url = postgresql://u@gateway.invalid/x: ")
    assert "pip install 'xmpp-rest[postgres]'" in line


def test_what_a_check_reads_and_remarks(tmp_path: Path, taken: int) -> None:
    (tmp_path / "wsgi.ini").write_text(f"[server]\nbind = 127.0.0.1:{taken}\ndata_dir = wsgi.ini\n[link]\nsecret = hunter2\n")
    ran = run([sys.executable, "-m", "xmpp_rest", "check", "--config", str(tmp_path / "wsgi.ini")], cwd=ROOT, env=environment())
    assert ran.stdout.splitlines()[0] == f"reads {tmp_path / 'wsgi.ini'}"
    remark, *mistakes = ran.stderr.splitlines()
    assert "remark: [link] secret: is set, but kind is none" in remark
    assert [line.partition(" =")[0] for line in mistakes] == ["xmpp-rest: [server] bind", "xmpp-rest: [server] data_dir"]
    assert ran.returncode == 71
    assert "hunter2" not in ran.stdout + ran.stderr
