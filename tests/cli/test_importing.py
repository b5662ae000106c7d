"""`xmpp-rest import` and `export`, with their exit codes."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest

from drivers import open_driver
from drivers.lease import NOTE, Lease
from tests.cli.conftest import Ctl, make_storage
from tests.conftest import DOMAIN
from xmpp_rest.cli.arguments.storage import SOURCES
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.importing.readers import OPENERS

TEXT = f"<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'><user name='juliet' password='secret'/></host></server-data>"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.xml"
    path.write_text(TEXT)
    return path


def test_the_help_names_every_kind_of_source() -> None:
    kinds = [f"{prefix}:…" for prefix in OPENERS if prefix not in ("", "xep-0227")]
    assert SOURCES.split(", ") == kinds


def test_importing(xmpp_rest: Ctl, config: Path, export: Path) -> None:
    for words in ((), ("--dry-run",)):
        nowhere = xmpp_rest("import", str(export), *words)
        assert (nowhere.code, nowhere.out) == (69, "")
        assert f"no storage in {config.parent / 'data'}" in nowhere.err
    assert not (config.parent / "data").exists()
    make_storage(config)
    dry = xmpp_rest("import", str(export), "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert "accounts          1          1          0          0" in dry.out
    assert xmpp_rest("import", str(export)).code == 0
    assert xmpp_rest("ctl", "--offline", "check_password", "juliet", DOMAIN, "secret").code == 0
    again = xmpp_rest("import", str(export))
    assert (again.code, again.err) == (
        0,
        f"xmpp-rest import: skipped: juliet@{DOMAIN}: accounts: there is an account of this name, which is left as it is\n",
    )
    assert xmpp_rest("import", str(export), "--quiet").err == ""
    assert xmpp_rest("import", str(export), "--on-conflict", "fail").code == 1
    assert xmpp_rest("import", str(export), "--on-conflict", "replace").code == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["missing.xml"], 66, "there is no file"),
        (["bad.xml"], 65, "not well-formed"),
        (["export.xml", "--domain", "old"], 64, "write the domain in SOURCE"),
        (["export.xml", "--domain", f"{DOMAIN}=other.example"], 1, f"this gateway hosts {DOMAIN}"),
    ],
)
@pytest.mark.usefixtures("storage")
def test_words(xmpp_rest: Ctl, export: Path, words: list[str], code: int, says: str) -> None:
    (export.parent / "bad.xml").write_text("bad")
    ran = xmpp_rest("import", str(export.parent / words[0]), *words[1:])
    assert ran.code == code, ran
    assert says in ran.err


@pytest.mark.parametrize("source", ["", "ejabberd+postgres://me:sesame@localhost/x", "sqlite:data", "x" * 300, "ejabberd+dump:missing", "no/folder"])
def test_what_is_no_source(xmpp_rest: Ctl, source: str) -> None:
    ran = xmpp_rest("import", source)
    assert (ran.code, ran.out) == (66, "")
    assert ran.err.startswith("xmpp-rest import: ")
    assert "sesame" not in ran.err


def test_beside_a_gateway(xmpp_rest: Ctl, export: Path, gateway: Gateway) -> None:
    ran = xmpp_rest("import", str(export))
    assert ran.code == 75
    assert "stop it first" in ran.err
    assert xmpp_rest("import", str(export), "--dry-run").code == 0
    file = export.parent / "out.xml"
    assert xmpp_rest("export", "--xep-0227", str(file)).code == 0
    assert 'name="admin"' in file.read_text()


@pytest.mark.usefixtures("storage")
def test_exporting(xmpp_rest: Ctl, export: Path) -> None:
    assert xmpp_rest("import", str(export)).code == 0
    file = export.parent / "out.xml"
    ran = xmpp_rest("export", "--xep-0227", str(file))
    assert (ran.code, ran.out) == (0, "exported: 2 accounts\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert 'name="juliet"' in file.read_text()
    assert [path.name for path in export.parent.glob("*out.xml*")] == ["out.xml"]
    folder = export.parent / "files"
    folder.mkdir()
    assert xmpp_rest("export", "--xep-0227", str(folder)).code == 0
    assert sorted(path.name for path in folder.iterdir()) == [f"admin@{DOMAIN}.xml", f"juliet@{DOMAIN}.xml"]
    assert xmpp_rest("export", "--xep-0227", str(file), "--domain", "other.example").out == "exported: 0 accounts\n"
    assert xmpp_rest("export", "--xep-0227", str(file), "--domain", DOMAIN.upper()).out == "exported: 2 accounts\n"
    nowhere = xmpp_rest("export", "--xep-0227", str(folder / "none/out.xml"))
    assert (nowhere.code, nowhere.err) == (73, f"xmpp-rest: {folder}/none/out.xml: No such file or directory\n")
    export.write_text(TEXT.replace("juliet", "j" * 300))
    assert xmpp_rest("import", str(export)).code == 0
    ran = xmpp_rest("export", "--xep-0227", str(folder))
    assert (ran.code, ran.out) == (1, "exported: 2 accounts; left out: 1\n")
    assert "accounts: the name is too long for a file" in ran.err


@pytest.mark.usefixtures("storage")
def test_beside_a_gateway_of_another_folder(xmpp_rest: Ctl, config: Path, export: Path) -> None:
    with closing(open_driver("sqlite:gateway.sqlite", config.parent / "data")) as driver:
        driver.note(NOTE, lambda _: None)
        Lease(driver, "another", "elsewhere", [DOMAIN]).claim()
    ran = xmpp_rest("import", str(export))
    assert (ran.code, ran.err) == (75, f"xmpp-rest: a gateway uses the storage for {DOMAIN}: elsewhere; stop it first\n")


@pytest.mark.usefixtures("storage")
def test_exporting_what_cannot_be_read(xmpp_rest: Ctl, config: Path, export: Path) -> None:
    with closing(open_driver("sqlite:gateway.sqlite", config.parent / "data")) as driver:
        driver.store("admin", DOMAIN, "vcard", {"no": "element"})
    ran = xmpp_rest("export", "--xep-0227", str(export.parent / "out.xml"))
    assert (ran.code, ran.out) == (1, "exported: 1 account; left out: 1\n")
    assert f"left out: admin@{DOMAIN}: vCards" in ran.err


def test_exporting_nothing(xmpp_rest: Ctl, export: Path) -> None:
    ran = xmpp_rest("export", "--xep-0227", str(export.parent / "out.xml"))
    assert ran.code == 69
    assert "no storage in " in ran.err
