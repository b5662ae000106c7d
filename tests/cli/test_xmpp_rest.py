"""`xmpp-rest send`, `token`, `migrate` and `ctl`, with their exit codes."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from drivers import open_driver
from drivers.lease import NOTE, LeaseTaken
from drivers.migrate import Report
from tests.cli.conftest import Ctl, make_storage
from tests.cli.inside import run
from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.application import build
from xmpp_rest.cli import migrate
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JULIET = parse_jid(f"juliet@{DOMAIN}")


@pytest.fixture
def juliet(config: Path) -> None:
    app = build(load_settings(config, {}))
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    gateway.parts.accounts.register(JULIET, PASSWORD)
    gateway.stop()


def bodies(config: Path) -> list[str]:
    app = build(load_settings(config, {}))
    gateway: Gateway = app.extensions["gateway"]
    try:
        return [item.stanza for item in gateway.driver.archive_find("juliet", DOMAIN, "archive")]
    finally:
        gateway.stop()


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.usefixtures("juliet")
def test_sending(xmpp_rest: Ctl, config: Path, running: bool, request: pytest.FixtureRequest) -> None:
    if running:
        request.getfixturevalue("gateway")
    how = () if running else ("--offline",)
    assert xmpp_rest("send", str(JULIET), "Madam!", *how) == (0, "", "")
    assert xmpp_rest(*how, "send", str(JULIET), "-", "--subject", "News", stdin="two\nlines\n") == (0, "", "")
    refused = xmpp_rest("send", f"nobody@{DOMAIN}", "x", *how)
    assert (refused.code, refused.err) == (1, f"xmpp-rest send: nobody@{DOMAIN}: service-unavailable\n")
    nowhere = xmpp_rest("send", "romeo@montague.example", "x", *how)
    assert nowhere.code == 1
    assert "remote-server-not-found" in nowhere.err
    first, second = bodies(config)
    assert f'from="admin@{DOMAIN}"' in first.replace("'", '"')
    assert "<subject>News</subject><body>two\nlines</body>" in second


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nobody@@", "x"], 64),
        ([f"a@{DOMAIN}", "x", "--from", "romeo@montague.example"], 64),
        ([f"a@{DOMAIN}", ""], 64),
        ([f"a@{DOMAIN}", "\x07"], 65),
        ([f"a@{DOMAIN}", "x", "--wait", "-1"], 64),
        ([], 64),
    ],
)
def test_wrong_usage_of_send(xmpp_rest: Ctl, words: list[str], code: int) -> None:
    ran = xmpp_rest("send", *words)
    assert (ran.code, ran.err.count("\n")) == (code, 1)


@pytest.mark.parametrize("how", [(), ("--offline",)])
@pytest.mark.usefixtures("juliet")
def test_sending_where_no_gateway_runs_that_has_a_link(xmpp_rest: Ctl, config: Path, how: tuple[str, ...]) -> None:
    config.write_text(config.read_text() + "[link]\nkind = component\nsecret = x\nport = 1\n")
    ran = xmpp_rest("send", "romeo@montague.example", "x", *how)
    assert ran.code == 69
    assert "does not run" in ran.err


def test_a_message_that_waits(xmpp_rest: Ctl, config: Path) -> None:
    config.write_text(config.read_text() + "[link]\nkind = component\nsecret = x\nport = 1\n")
    app = build(load_settings(config, {}))
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    try:
        ran = xmpp_rest("send", "romeo@montague.example", "x", "--wait", "0.1")
        assert ran.code == 75
        assert "it is kept" in ran.err
    finally:
        gateway.stop()


@pytest.mark.parametrize("tool", ["ctl", "xmpp_rest"])
@pytest.mark.usefixtures("juliet")
def test_a_token_that_may_only_send(request: pytest.FixtureRequest, config: Path, tool: str) -> None:
    ran = request.getfixturevalue(tool)("token", str(JULIET), "--offline", "--may-send-to", "ops@*", "--ttl", "1h")
    assert (ran.code, len(ran.out)) == (0, 33)
    app = build(load_settings(config, {}))
    client = app.test_client()
    headers = {"Authorization": f"Bearer {ran.out.strip()}"}
    statuses = [client.post("/rest", json={"kind": "message", "to": to, "body": "x"}, headers=headers).status_code for to in (f"ops@{DOMAIN}", f"admin@{DOMAIN}")]
    statuses.append(client.get("/data/accounts", headers=headers).status_code)
    app.extensions["gateway"].stop()
    assert statuses == [200, 403, 403]  # 200: refused by the domain, where nobody is of that name


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--offline", "token", "nobody@capulet.example"], 1, "has no account here"),
        (["token", "romeo@montague.example", "--offline"], 1, "has no account here"),
        (["token", DOMAIN], 64, "names no account"),
        (["token", str(JULIET), "--scope", "god"], 1, "there is no such scope"),
        (["token", str(JULIET), "--may-send-to", "a b"], 64, "write an address"),
        (["token", str(JULIET), "--ttl", "soon"], 64, "write a number of seconds"),
        (["token", "--help"], 0, "--may-send-to"),
        (["--help"], 0, "migrate"),
        (["chekc"], 64, "did you mean check?"),
        (["ctl", "--offline", "registered_users", DOMAIN], 0, "juliet"),
        (["--offline", "ctl", "registered_users", DOMAIN], 0, "juliet"),
        (["token", str(JULIET)], 69, "--offline"),
        (["migrate", "x:y", "x:y"], 64, "the same storage"),
    ],
)
@pytest.mark.usefixtures("juliet")
def test_words(xmpp_rest: Ctl, words: list[str], code: int, says: str) -> None:
    ran = xmpp_rest(*words)
    assert ran.code == code, ran
    assert says in ran.out + ran.err


@pytest.mark.usefixtures("juliet")
def test_migrating(xmpp_rest: Ctl, config: Path) -> None:
    source, target = f"sqlite:{config.parent}/data/gateway.sqlite", f"jsonfile:{config.parent}/there"
    assert "stores" in xmpp_rest("migrate", source, target, "--dry-run").out
    assert not (config.parent / "there").exists() or not list((config.parent / "there").rglob("*.json"))
    assert xmpp_rest("migrate", source, target).code == 0
    assert list((config.parent / "there").rglob("juliet*"))


def test_a_migration_beside_a_gateway(xmpp_rest: Ctl, config: Path, gateway: Gateway) -> None:
    folder = config.parent
    mine, other, new = f"sqlite:{folder}/data/gateway.sqlite", f"jsonfile:{folder}/other", f"jsonfile:{folder}/new"
    (folder / "other").mkdir()
    for source, target, which in ((mine, new, "FROM"), (other, mine, "TO")):
        ran = xmpp_rest("migrate", source, target)
        assert (ran.code, ran.out) == (75, "")
        assert f"a gateway uses {which} for {DOMAIN}" in ran.err
        assert "stop it first" in ran.err
        assert ran.err.count("\n") == 1
    assert xmpp_rest("migrate", mine, new, "--dry-run").code == 75
    assert xmpp_rest("migrate", other, mine, "--dry-run").code == 75
    assert not (folder / "new").exists()


@pytest.fixture
def two_storages(tmp_path: Path) -> dict[str, Path]:
    """Two configurations of the same domain, with storages that gateways have made."""
    configs = {}
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
        configs[name] = tmp_path / name / "wsgi.ini"
        configs[name].write_text(f"[gateway]\ndomain = {DOMAIN}\n[auth]\niterations = 4096\n")
        make_storage(configs[name])
    for config in configs.values():  # as long as a gateway that has crashed counts, none could be told apart
        with closing(open_driver("sqlite:gateway.sqlite", config.parent / "data")) as driver:
            driver.note(NOTE, lambda _: {})
    return configs


def test_a_gateway_that_is_started_during_a_migration(two_storages: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept out of both storages, and only until the migration has ended."""
    said: list[str] = []

    def copy(*_: object) -> Report:
        for config in two_storages.values():
            with pytest.raises(LeaseTaken) as refused:
                make_storage(config)
            said.append(str(refused.value))
        return Report()

    monkeypatch.setattr(migrate, "_migrate", copy)
    urls = [f"sqlite:{config.parent}/data/gateway.sqlite" for config in two_storages.values()]
    assert run("migrate", *urls).code == 0
    assert len(said) == 2
    assert all(f"another gateway uses this storage for {DOMAIN}: `xmpp-rest migrate`" in sentence for sentence in said)
    for config in two_storages.values():
        make_storage(config)


def test_a_source_of_another_program_gets_no_lease(tmp_path: Path) -> None:
    (tmp_path / "from" / "localhost" / "accounts").mkdir(parents=True)
    (tmp_path / "from" / "localhost" / "accounts" / "juliet.dat").write_text('return { ["password"] = "x" };\n')
    before = sorted((tmp_path / "from").rglob("*"))
    ran = run("migrate", f"flatfile:{tmp_path}/from", f"sqlite:{tmp_path}/to.sqlite")
    assert (ran.code, ran.out) == (0, "copied: 1 stores, 1 items\n")
    assert sorted((tmp_path / "from").rglob("*")) == before


def test_a_migration_from_another_folder(xmpp_rest: Ctl, config: Path, juliet: None) -> None:
    """Relative paths are below the current folder, which is named where there is nothing of that name."""
    ran = xmpp_rest("migrate", "sqlite:data/no.sqlite", f"jsonfile:{config.parent}/there")
    assert (ran.code, ran.out) == (66, "")
    assert "there is no storage sqlite:data/no.sqlite" in ran.err
    assert not (config.parent / "there").exists()


def fill_archive(gateway: Gateway) -> None:
    for days in (40, 20):
        gateway.driver.archive_append("juliet", DOMAIN, "archive", "<message/>", when=time.time() - days * 86400)


@pytest.mark.parametrize("running", [True, False])
def test_pruning(xmpp_rest: Ctl, config: Path, running: bool) -> None:
    config.write_text(f"{config.read_text()}[archive]\nkeep = 1m\n")
    gateway = Gateway(load_settings(config, {}))
    gateway.start()
    fill_archive(gateway)
    if not running:
        gateway.stop()
        refused = xmpp_rest("prune")
        assert refused.code == 69
        assert "start it, or say --offline" in refused.err
    ran = xmpp_rest("prune", *(() if running else ("--offline",)))
    assert (ran.code, ran.out) == (0, "removed: 1 items of 1 archives\n")
    assert xmpp_rest("prune", *(() if running else ("--offline",))).out == "removed: 0 items of 0 archives\n"
    if running:
        gateway.stop()


def audit_of(data: Path) -> str:
    """Who did what by the command line."""
    return (data / "audit.log").read_text("utf-8")


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.usefixtures("juliet")
def test_a_backup_and_back(xmpp_rest: Ctl, config: Path, tmp_path: Path, running: bool) -> None:
    file, there = tmp_path / "b.tar.gz", tmp_path / "there"
    gateway = Gateway(load_settings(config, {}))
    gateway.start()
    if not running:
        gateway.stop()
    made = xmpp_rest("backup", str(file))
    assert (made.code, made.out.startswith("kept: "), made.err) == (0, True, "")
    assert xmpp_rest("backup", str(file)).code == 73
    assert xmpp_rest("restore", str(file), "--to", str(there), "--quiet") == (0, "", "")
    assert xmpp_rest("restore", str(file), "--to", str(there)).code == 73
    assert xmpp_rest("restore", str(file), "--force").code == (75 if running else 0)
    for data, is_restored in ((there / "data", True), (config.parent / "data", not running)):
        assert audit_of(data).count(" command=restore ") == is_restored
    if running:
        gateway.stop()
    assert xmpp_rest("--config", str(there / "wsgi.ini"), "send", str(JULIET), "Madam!", "--offline").code == 0
    file.write_bytes(file.read_bytes()[:-100])
    broken = xmpp_rest("restore", str(file), "--to", str(tmp_path / "other"))
    assert broken.code == 65
    assert "is not a whole backup" in broken.err
    assert xmpp_rest("restore", str(tmp_path / "nothing"), "--to", str(there)).code == 66


def test_no_backup_of_nothing(xmpp_rest: Ctl, config: Path, tmp_path: Path) -> None:
    assert xmpp_rest("backup", str(tmp_path / "b.tar.gz")).code == 69
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wsgi.ini"]


def test_pruning_where_no_gateway_ever_ran(xmpp_rest: Ctl, config: Path) -> None:
    assert xmpp_rest("prune", "--offline").code == 69
    assert not (config.parent / "data").exists()
