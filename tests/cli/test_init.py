"""`xmpp-rest init` makes all that a gateway needs, or nothing; and nobody else makes a storage."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.lease import held
from tests.conftest import OpenDriver
from xmpp_rest.__main__ import main
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.cli import init
from xmpp_rest.cli.verbs import RAW, VERBS
from xmpp_rest.config import find
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.manual import ini

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `xmpp-rest WORDS` in a folder where no configuration is found, without settings in the environment; code, output, errors."""
    for name in [name for name in os.environ if name.startswith("XMPP_REST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find, "CHECKOUT", tmp_path / "nowhere")
    monkeypatch.setattr(find, "SYSTEM", tmp_path / "etc")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def go(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as e:
            code = int(e.code or 0)
        return int(code), *capsys.readouterr()

    return go


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def opens(open_driver: OpenDriver, data: Path, password: str, host: str = "localhost") -> bool:
    driver = open_driver("sqlite:gateway.sqlite", data)
    record = driver.load("admin", host, "accounts")
    assert isinstance(record, dict)
    return Passwords("SHA-1", 4096).check(record, password)


def test_what_is_made(run: Run, tmp_path: Path, open_driver: OpenDriver) -> None:
    code, out, err = run("init")
    assert (code, err.replace("remark: [server] bind", "")) == (0, err)
    assert stat.S_IMODE((tmp_path / "wsgi.ini").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "data").iterdir())
    password = (tmp_path / "data" / "admin-password").read_text().strip()
    assert opens(open_driver, tmp_path / "data", password)
    assert password not in out + err
    assert out.splitlines() == [
        f"configuration: {tmp_path}/wsgi.ini",
        f"administrator: admin@localhost; the password is in {tmp_path}/data/admin-password",
        "next:",
        f"  xmpp-rest --config {tmp_path}/wsgi.ini run",
        f'  xmpp-rest --config {tmp_path}/wsgi.ini send admin@localhost "Hello"',
    ]
    assert (tmp_path / "wsgi.ini").read_text() == ini()
    assert not list(held(open_driver("sqlite:gateway.sqlite", tmp_path / "data")))
    assert run("--offline", "send", "admin@localhost", "Hello") == (0, "", "")


def test_a_folder_that_cannot_be_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights alone do not tell: there are file systems where nobody can make one."""
    monkeypatch.setattr(init, "unwritable", lambda _: "")
    code, out, err = run("init", "/proc/new")
    assert (code, out) == (73, "")
    assert err.startswith("xmpp-rest: /proc/new: cannot be made: ")
    assert "choose another folder: xmpp-rest init DIR" in err


def test_every_option(run: Run, tmp_path: Path, open_driver: OpenDriver) -> None:
    (tmp_path / "a secret").write_text("s3same #1\n")
    (tmp_path / "password").write_text("open s3same\n")
    words = ["--domain", "Gw.Example.", "--bind", "127.0.0.1:0, unix:x.sock", "--link", "[::1]:5347", "--secret-file", "a secret", "--admin-password-file", "password"]
    code, out, _ = run("init", "new/place", *words)
    assert code == 0
    settings = load_settings(tmp_path / "new/place/wsgi.ini", {})
    assert (settings.gateway.domain, settings.link.kind, settings.link.host, settings.link.port) == ("gw.example", "component", "::1", 5347)
    assert settings.link.secret == "s3same #1"
    assert [str(bind) for bind in settings.server.bind] == ["127.0.0.1:0", f"unix:{tmp_path}/x.sock"]
    assert opens(open_driver, tmp_path / "new/place/data", "open s3same", "gw.example")
    assert not (tmp_path / "new/place/data/admin-password").exists()
    assert f"the password is in {tmp_path}/password" in out
    assert "gw.example, muclight.gw.example, conference.gw.example" in out
    assert "s3same" not in out
    code, _, said = run("check", "--config", "new/place/wsgi.ini")
    assert (code, said.count("\n")) == (0, 1)
    assert said.startswith("xmpp-rest: remark: [server] public_url: is not set, so links to files will begin with http://127.0.0.1:0")


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (64, ["--domain", "a b"], "--domain"),
        (64, ["--domian", "x"], "did you mean --domain?"),
        (64, ["--bind", "nowhere"], "write HOST:PORT"),
        (64, ["--bind", "127.0.0.1:99999"], "at most 65535"),
        (64, ["--link", "127.0.0.1"], "write HOST:PORT, such as 127.0.0.1:5347"),
        (64, ["--link", "127.0.0.1:5347"], "go together"),
        (64, ["--secret-file", "full"], "go together"),
        (64, ["--link", "h:1", "--secret-file", "a ;b"], "rename the file"),
        (66, ["--link", "h:1", "--secret-file", "none"], "none: No such file"),
        (66, ["--link", "h:1", "--secret-file", "."], "is not a file"),
        (65, ["--link", "h:1", "--secret-file", "empty"], "is empty"),
        (65, ["--admin-password-file", "binary"], "UTF-8"),
        (65, ["--admin-password-file", "control"], "cannot be a password"),
        (66, ["--admin-password-file", "none"], "No such file"),
        (73, ["full"], "full is a file"),
        (73, ["full/x"], "full is a file"),
        (73, ["there"], "there/wsgi.ini: is there already"),
        (73, ["used"], "used/data: is there already"),
    ],
)
def test_nothing_is_made(run: Run, tmp_path: Path, code: int, words: list[str], says: str) -> None:
    (tmp_path / "full").write_text("x")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "control").write_text("a\x07b")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "wsgi.ini").symlink_to("nowhere")
    (tmp_path / "used" / "data").mkdir(parents=True)
    (tmp_path / "used" / "data" / "x").touch()
    before = below(tmp_path)
    found, out, err = run("init", *words)
    assert (found, out, err.count("\n")) == (code, "", 1), err
    assert says in err
    assert below(tmp_path) == before


def test_twice(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()  # such as the volume of a container
    assert run("init")[0] == 0
    text = (tmp_path / "wsgi.ini").read_text()
    assert run("init", ".")[0] == 73
    assert (tmp_path / "wsgi.ini").read_text() == text


def test_a_failure_halfway(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def full(source: str, target: str) -> None:
        if str(target).endswith("new/wsgi.ini"):
            raise OSError(28, "No space left on device")
        link(source, target)

    monkeypatch.setattr(os, "link", full)
    assert run("init", "new")[::2] == (73, f"xmpp-rest: {tmp_path}/new: No space left on device; nothing was changed\n")
    assert below(tmp_path) == set()


def test_what_outranks_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMPP_REST_GATEWAY_DOMAIN", "other.example")
    code, out, err = run("init", "--bind", "127.0.0.1:0")
    assert (code, err) == (0, "xmpp-rest: remark: XMPP_REST_GATEWAY_DOMAIN: in the environment, where it outranks the file\n")
    assert "admin@localhost" in out


def test_no_configuration(run: Run, tmp_path: Path) -> None:
    for words in ([], ["run"], ["serve"], ["-v", "run"]):
        code, out, err = run(*words)
        assert (code, out) == (78, "")
        assert "`xmpp-rest init`" in err.splitlines()[-1]
    assert below(tmp_path) == set()


WORDS = {
    "check": [],
    "backup": ["b.tar.gz"],
    "export": ["--xep-0227", "out.xml"],
    "import": ["in.xml"],
    "prune": [],
    "send": ["admin@localhost", "x"],
    "token": ["admin@localhost"],
    "hook": ["list"],
    "ctl": ["registered_users", "localhost"],
    "listen": ["--count", "1"],
    "status": [],
    "cluster": [],
}
MAKING = {"run", "init", "restore", "migrate"}
WITHOUT = {"completion"}  # no storage at all


def test_every_verb_is_known_here() -> None:
    assert set(VERBS) | set(RAW) <= set(WORDS) | MAKING | WITHOUT


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("verb", [verb for verb in WORDS if verb in VERBS or verb in RAW])
def test_who_makes_no_storage(run: Run, tmp_path: Path, verb: str, offline: bool) -> None:
    (tmp_path / "wsgi.ini").write_text("[server]\nbind = 127.0.0.1:0\n")
    (tmp_path / "in.xml").write_text("<server-data xmlns='urn:xmpp:pie:0'><host jid='localhost'/></server-data>")
    code, _, err = run(*(["--offline"] if offline else []), verb, *WORDS[verb])
    if verb == "check":
        assert (code, err) == (0, "")
    elif verb == "cluster":  # this machine is alone
        assert (code, "[cluster] kind is none" in err) == (78, True)
    else:
        assert code == (3 if verb in ("ctl", "hook") else 69)
        assert f"no storage in {tmp_path}/data ([server] data_dir of {tmp_path}/wsgi.ini): no gateway was ever started there" in err
    assert below(tmp_path) == {"wsgi.ini", "in.xml"}
