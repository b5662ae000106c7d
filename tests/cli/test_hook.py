"""`xmpp-rest hook`: through the running gateway, on the storage, and by a URL (hooks §4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.cli.inside import Place, place, run
from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.protocol.jid import parse_jid

ADMIN, JULIET = parse_jid(f"admin@{DOMAIN}"), parse_jid(f"juliet@{DOMAIN}")
TOKEN = r"hk_[0-9A-Za-z]{27}"
SAID = re.compile(rf"(http://127\.0\.0\.1:\d+)/hooks/({TOKEN})\n({TOKEN})\n")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    configured = f"[hook.conf]\ntoken = hk_{'c' * 27}\ntargets = juliet@{DOMAIN}\n"
    with place(tmp_path_factory.mktemp("hook"), configured) as found:
        found.gateway.parts.accounts.register(JULIET, PASSWORD)
        yield found


def told(ran: Ran) -> str:
    """The token that was printed, with the URL."""
    assert (ran.code, ran.err) == (0, "")
    match = SAID.fullmatch(ran.out)
    assert match
    assert match[2] == match[3]
    return match[3]


def test_a_hook_from_its_beginning_to_its_end(here: Place) -> None:
    (secret := here.config.parent / "secret").write_text("hand in glove\n")
    hooks = here.gateway.parts.hooks
    words = [
        "--to",
        str(JULIET),
        "--to",
        "room:ops@rooms.example",
        "--format",
        "slack",
        "--nick",
        "Ops!",
        "--rate",
        "100",
        "--update",
        "--get",
    ]
    token = told(here.run("hook", "add", "Ops", *words, "--secret-file", str(secret), "--template", "{{ text }}"))
    hook = hooks.by_token(token)
    assert hook is not None
    assert (hook.name, str(hook.owner), hook.called, hook.rate, hook.update, hook.get) == (
        "ops",
        f"hooks@{DOMAIN}",
        "Ops!",
        100,
        True,
        True,
    )
    assert (hook.secret, hook.template, hook.format) == ("hand in glove", "{{ text }}", "slack")
    told(here.run("hook", "add", "own", "--to", str(JULIET), "--owner", str(JULIET)))
    listed = here.run("hook", "list")
    assert listed == (
        0,
        f"conf\thooks@{DOMAIN}\tauto\t{JULIET}\nops\thooks@{DOMAIN}\tslack\t{JULIET},room:ops@rooms.example\nown\t{JULIET}\tauto\t{JULIET}\n",
        "",
    )
    new = told(here.run("hook", "token", "ops"))
    assert (hooks.by_token(token), hooks.by_token(new)) == (None, hook)
    assert here.run("hook", "remove", "ops") == here.run("hook", "remove", "OWN") == (0, "", "")
    gone = here.run("hook", "remove", "ops")
    assert (gone.code, gone.out, "There is no hook ops" in gone.err) == (1, "", True)


def test_what_is_refused(here: Place) -> None:
    told(here.run("hook", "add", "taken", "--to", str(JULIET)))
    for words, says in (
        (["add", "taken", "--to", str(JULIET)], "There is a hook with the name taken already"),
        (["add", "hk_x", "--to", str(JULIET)], "name: "),
        (["add", "x", "--to", "@"], "targets: "),
        (["add", "x", "--to", str(JULIET), "--owner", f"nobody@{DOMAIN}"], "owner: there is no account"),
        (["add", "x", "--to", str(JULIET), "--template", "{{"], "template: line 1"),
        (["add", "x", "--to", str(JULIET), "--secret-file", "/nonexistent"], "/nonexistent: No such file"),
        (["add", "x", "--to", str(JULIET), "--rate", "6001"], "rate: "),
        (["remove", "conf"], "The hook conf is one of the configuration"),
        (["token", "conf"], "The hook conf is one of the configuration"),
        (["token", "none"], "There is no hook none"),
        (["test", "none"], "There is no hook none"),
    ):
        ran = here.run("hook", *words)
        assert (ran.code, ran.out, says in ran.err) == (1, "", True), ran.err


@pytest.mark.parametrize(
    "words", [[], ["lst"], ["add"], ["add", "x"], ["add", "x", "--to"], ["add", "x", "--to", "a@b", "--format", "xml"], ["list", "x"],
              ["add", "x", "--to", "a@b", "--rate", "many"], ["remove"], ["test"], ["list", "--all"], ["token", "a", "b"]],
)  # fmt: skip
def test_wrong_words(here: Place, words: list[str]) -> None:
    assert here.run("hook", *words).code == 2


def test_the_test_message(here: Place) -> None:
    told(here.run("hook", "add", "some", "--to", str(JULIET), "--to", f"nobody@{DOMAIN}"))
    ran = here.run("hook", "test", "some")
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert first.split("\t") == [str(JULIET), "accepted"]
    assert second.split("\t")[:3] == [f"nobody@{DOMAIN}", "refused", "service-unavailable"]
    assert here.bodies(JULIET)[-1] == "Test of the hook some"
    told(here.run("hook", "add", "nobody", "--to", f"nobody@{DOMAIN}"))
    failed = here.run("hook", "test", "nobody")
    assert (failed.code, failed.err) == (1, "xmpp-rest: nobody has got it\n")
    assert failed.out.startswith(f"nobody@{DOMAIN}\trefused\t")


def test_a_payload(here: Place, tmp_path: Path) -> None:
    told(here.run("hook", "add", "posted", "--to", str(JULIET)))
    (file := tmp_path / "payload").write_text('{"text": "Disk <https://web1.example|full>"}')
    assert here.run("hook", "test", "posted", "--payload", str(file)) == (0, f"{JULIET}\taccepted\n", "")
    token = here.token(ADMIN, "ejabberd:admin", "ejabberd:user")
    away = here.away("hook", "test", "conf", "--payload", str(file), token=token)
    assert away == (0, "conf\taccepted\n", "")  # Slack's servers say no more than "ok"
    assert here.bodies(JULIET)[-2:] == ["Disk full (https://web1.example)"] * 2
    file.write_text("plain text")
    assert here.run("hook", "test", "posted", "--payload", str(file)).code == 0
    assert here.bodies(JULIET)[-1] == "plain text"
    for text in ("", "{}", '{"text": "x"'):
        file.write_text(text)
        ran = here.run("hook", "test", "posted", "--payload", str(file))
        assert ran.code == (1 if text != '{"text": "x"' else 0), ran
    assert here.run("hook", "test", "posted", "--payload", str(tmp_path / "none")).code == 1


def test_by_a_url(here: Place) -> None:
    of_admin = here.token(ADMIN, "ejabberd:admin", "ejabberd:user")
    token = told(here.away("hook", "add", "far", "--to", str(JULIET), token=of_admin))
    hook = here.gateway.parts.hooks.by_token(token)
    assert hook is not None
    assert hook.owner == ADMIN
    assert f"far\t{ADMIN}\tauto\t{JULIET}\n" in here.away("hook", "list", token=of_admin).out
    assert here.away("hook", "test", "far", token=of_admin) == (0, f"{JULIET}\taccepted\n", "")
    of_juliet = here.token(JULIET)
    assert here.away("hook", "list", token=of_juliet) == (0, "", "")
    assert here.away("hook", "remove", "far", token=of_juliet).code == 1
    assert here.away("hook", "add", "x", "--to", str(JULIET), "--rate", "5000", token=of_juliet).code == 1
    told(here.away("hook", "token", "far", token=of_admin))
    assert here.away("hook", "remove", "far", token=of_admin) == (0, "", "")
    assert run("hook", "list", "--url", "http://127.0.0.1:1").code == 3


def test_on_the_storage(tmp_path: Path) -> None:
    with place(tmp_path) as found:
        found.gateway.parts.accounts.register(JULIET, PASSWORD)
    here = Place(tmp_path / "wsgi.ini", found.gateway, "")
    stopped = here.run("hook", "list")
    assert (stopped.code, "--offline" in stopped.err) == (3, True)
    token = told(here.run("hook", "add", "ops", "--to", str(JULIET), "--owner", str(JULIET), "--offline"))
    assert here.run("--offline", "hook", "list").out == f"ops\t{JULIET}\tauto\t{JULIET}\n"
    assert here.run("hook", "test", "ops", "--offline") == (0, f"{JULIET}\taccepted\n", "")
    audit = (tmp_path / "data/audit.log").read_text()
    assert "hook_add" in audit
    assert token not in audit
    with place(tmp_path) as again:
        hook = again.gateway.parts.hooks.by_token(token)
        assert hook is not None
        assert hook.owner == JULIET
        assert again.bodies(JULIET) == ["Test of the hook ops"]


def test_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "wsgi.ini").write_text("")
    for words in (["list"], ["list", "--offline"], ["add", "x", "--to", "a@b"]):
        assert run("hook", *words, XMPP_REST_CONFIG=str(tmp_path / "wsgi.ini")).code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["wsgi.ini"]


def test_a_token_for_the_configuration(tmp_path: Path) -> None:
    """Nothing is asked or kept, and the configuration may be wrong for want of it."""
    config = tmp_path / "wsgi.ini"
    for text in ("", "[hook.ops]\ntargets = a@b.example\n"):
        config.write_text(text)
        told(run("hook", "token", XMPP_REST_CONFIG=str(config)))
    config.write_text("[server]\npublic_url = https://chat.example/\n")
    assert run("hook", "token", XMPP_REST_CONFIG=str(config)).out.startswith("https://chat.example/hooks/hk_")
    assert [path.name for path in tmp_path.iterdir()] == ["wsgi.ini"]
