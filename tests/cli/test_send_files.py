"""`xmpp-rest send --file`, at the gateway of this machine and at one of another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.cli.inside import Place, place
from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.protocol.jid import parse_jid

ADMIN, JULIET, NURSE = (parse_jid(f"{name}@{DOMAIN}") for name in ("admin", "juliet", "nurse"))
Send = Callable[..., Ran]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("send"), "[files]\nmax_size = 1000000\n[server]\npublic_url = https://gw.example\n") as found:
        for account in (JULIET, NURSE):
            found.gateway.parts.accounts.register(account, PASSWORD)
        yield found


@pytest.fixture(params=["local", "remote"])
def send(here: Place, request: pytest.FixtureRequest) -> Send:
    token = here.token(ADMIN)

    def sent(*words: str) -> Ran:
        return here.run("send", *words) if request.param == "local" else here.away("send", *words, token=token)

    return sent


@pytest.fixture
def rose(tmp_path: Path) -> Path:
    path = tmp_path / "a rose.png"
    path.write_bytes(b"x" * 500_000)
    return path


def test_a_file_with_its_caption(here: Place, send: Send, rose: Path) -> None:
    assert send(f"{JULIET},{NURSE}", "--file", str(rose), "Look") == (0, "", "")
    for owner in (JULIET, NURSE):
        caption, url = here.bodies(owner)[-2:]
        assert caption == "Look"
        assert url.startswith("https://gw.example/files/")
        assert url.endswith("/a%20rose.png")
    newest = here.gateway.parts.files.of(ADMIN)[0]
    assert (newest.name, newest.size, newest.media_type) == ("a rose.png", 500_000, "image/png")


def test_several_files_have_one_caption(here: Place, send: Send, rose: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("b")
    assert send("--to", str(NURSE), "--file", str(rose), "--file", str(tmp_path / "b.txt"), "--type", "normal", "Two") == (0, "", "")
    said = here.bodies(NURSE)[-3:]
    assert (said[0], [url.rpartition("/")[2] for url in said[1:]]) == ("Two", ["a%20rose.png", "b.txt"])


def test_what_is_refused(send: Send, rose: Path, tmp_path: Path) -> None:
    nobody = f"nobody@{DOMAIN}"
    ran = send(f"{NURSE},{nobody}", "--file", str(rose))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"xmpp-rest send: {nobody}: service-unavailable\n"
    rose.write_bytes(b"x" * 1_000_001)
    ran = send(str(NURSE), "--file", str(rose))
    assert ran.code == 65
    assert "1000000 bytes" in ran.err
    (tmp_path / "empty").write_bytes(b"")
    for path in (tmp_path / "none", tmp_path / "empty", tmp_path):
        assert send(str(NURSE), "--file", str(path)).code == 66
    for words in (["--file", str(rose)], [str(NURSE), "a", "b", "--file", str(rose)], [str(NURSE), "--json", "--file", str(rose)]):
        assert send(*words).code == 64


def test_nothing_is_left_of_what_was_not_sent(here: Place, send: Send, rose: Path) -> None:
    before = here.gateway.parts.files.used(ADMIN)
    rose.write_bytes(b"x" * 1_000_001)
    send(str(NURSE), "--file", str(rose))
    assert here.gateway.parts.files.used(ADMIN) == before
