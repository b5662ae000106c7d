"""Are settings read from where they may stand, and is every mistake named with its remedy?"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from xmpp_rest import manual
from xmpp_rest.configuration import SettingsError, load_settings
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.settings import SECTIONS, Settings

ROOT = Path(__file__).parent.parent


def ini(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "wsgi.ini"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(ini(tmp_path, text), environ)
    return caught.value.problems


def test_the_defaults_that_others_rely_on() -> None:
    s = load_settings(None, {})
    assert s.server.bind == ("127.0.0.1", 8080)
    assert (s.server.data_dir, s.storage.url, s.link.kind, s.link.port) == ("data", "sqlite:gateway.sqlite", "none", 5347)
    assert (s.gateway.domain, s.gateway.rooms_domain, s.gateway.conference_domain) == ("localhost", "muclight.localhost", "conference.localhost")
    assert s.auth.admins == (parse_jid("admin@localhost"),)
    assert (s.rest.iq_timeout, s.rest.iq_max_timeout, s.rest.stanza_size_limit, s.rest.credentials) == (120, 300, 196608, "")


def test_the_domain_is_part_of_other_defaults(tmp_path: Path) -> None:
    s = load_settings(ini(tmp_path, "[gateway]\ndomain = Gate.Example.\n[callback.bot]\nurl = http://127.0.0.1/\n"), {})
    assert (s.gateway.domain, s.gateway.rooms_domain) == ("gate.example", "muclight.gate.example")
    assert s.auth.admins == (parse_jid("admin@gate.example"),)
    assert s.callbacks["bot"].address == (parse_jid("gate.example"),)


def test_the_environment_outranks_the_file_and_makes_callbacks(tmp_path: Path) -> None:
    environ = {
        "XMPP_REST_SERVER_BIND": "[::1]:80",
        "XMPP_REST_CALLBACK_BOT_URL": "http://127.0.0.1/x",
        "XMPP_REST_CALLBACK_BOT_CONTENT_TYPE": "json",
        "XMPP_REST_CALLBACK_MY_BOT_KINDS": "message",
        "XMPP_REST_CALLBACK_MY_BOT_URL": "https://h/",
        "XMPP_REST_CONFIG": "/elsewhere",
        "PATH": "/bin",
    }
    s = load_settings(ini(tmp_path, "[server]\nbind = 0.0.0.0:1\nthreads = 8\n[callback.bot]\nkinds = iq\nurl = http://old/\n"), environ)
    assert (s.server.bind, s.server.threads) == (("::1", 80), 8)
    assert (s.callbacks["bot"].url, s.callbacks["bot"].content_type) == ("http://127.0.0.1/x", "application/json")
    assert s.callbacks["bot"].kinds == {"iq"}
    assert s.callbacks["my_bot"].kinds == {"message"}


def test_a_secret_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("100% #hidden\n")
    assert load_settings(ini(tmp_path, "[link]\nsecret_file = secret\n"), {}).link.secret == "100% #hidden"
    (tmp_path / "other").write_text("other")
    environ = {"XMPP_REST_LINK_SECRET_FILE": str(tmp_path / "other")}
    assert load_settings(ini(tmp_path, "[link]\nsecret = in the file\n"), environ).link.secret == "other"


def test_a_secret_keeps_its_odd_characters(tmp_path: Path) -> None:
    assert load_settings(ini(tmp_path, "[link]\nsecret = %(x)s ;#'\" =\n"), {}).link.secret == "%(x)s ;#'\" ="


MISTAKES = {
    "[server]\nbind = 8080": ["wsgi.ini: [server] bind", "'8080'", "HOST:PORT"],
    "[server]\nthreads = many": ["[server] threads", "'many'", "whole number from 2 to 1024"],
    "[server]\nthread = 8": ["[server] thread", "did you mean threads?"],
    "[sever]\nbind = 127.0.0.1:1": ["[sever]", "did you mean server?"],
    "[gateway]\ndomain = a b": ["[gateway] domain", "'a b'", "gateway.example.net"],
    "[link]\nkind = client": ["[link] kind", "'client'", "none, component"],
    "[link]\nkeepalive = -1": ["[link] keepalive", "number of seconds"],
    "[auth]\nadmins = @x": ["[auth] admins", "romeo@montague.example"],
    "[auth]\nadmins = a@b/c": ["[auth] admins", "without a resource"],
    "[rest]\ncredentials = secret": ["[rest] credentials", "(hidden)", "Bearer TOKEN"],
    "[callback.bot]\nkinds = message": ["[callback.bot] url", "missing"],
    "[callback.bot]\nurl = ftp://x": ["[callback.bot] url", "http://"],
    "[callback.bot]\nurl = http://x:99999/": ["[callback.bot] url", "Port"],
    "[callback.bot]\nurl = http://x\nevents = home": ["[callback.bot] events", "bare, full, host"],
    "[link]\nsecret_file = nowhere": ["[link] secret_file", "'nowhere'"],
    "[link]\nsecret = a\nsecret_file = nowhere": ["[link] secret_file", "keep one of the two"],
    "no section": ["wsgi.ini", "section"],
    "[server]\nbind = 127.0.0.1:1\nbind = 127.0.0.1:2": ["wsgi.ini", "bind", "already exists"],
}


@pytest.mark.parametrize(("text", "words"), MISTAKES.items(), ids=[m.replace("\n", " ") for m in MISTAKES])
def test_every_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    (problem,) = problems(tmp_path, text)
    for word in words:
        assert word in problem
    assert "credentials = secret" not in problem


def test_all_mistakes_at_once_and_those_of_the_environment(tmp_path: Path) -> None:
    found = problems(tmp_path, "[server]\nbind = x\n[link]\nport = 0\n", XMPP_REST_LINK_KIND="carrier pigeon")
    assert len(found) == 3
    assert any(p.startswith("XMPP_REST_LINK_KIND = 'carrier pigeon'") for p in found)
    (unknown,) = problems(tmp_path, "", XMPP_REST_LINK_HOTS="x")
    assert unknown.startswith("XMPP_REST_LINK_HOTS: there is no such setting")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.ini", {})


def test_the_manual_is_written_from_the_table() -> None:
    assert (ROOT / "wsgi.ini").read_text(encoding="utf-8") == manual.ini(), "run `make manual`"
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == manual.markdown(), "run `make manual`"


def test_the_manual_taken_at_its_word_changes_nothing(tmp_path: Path) -> None:
    """Every setting stands in wsgi.ini at its default: with all comment signs taken away the settings are the same."""
    lines = (line.removeprefix(";") for line in manual.ini().splitlines() if not line.startswith("#"))
    text = "\n".join(lines).partition("[callback.bot]")[0]
    given, default = load_settings(ini(tmp_path, text), {}), load_settings(None, {})
    for f in fields(Settings):
        if f.name in SECTIONS:
            assert getattr(given, f.name) == getattr(default, f.name)
    assert given.given == {f"{name}.{f.name}" for name, section in SECTIONS.items() for f in fields(section)}


@pytest.mark.parametrize(("usable", "expected"), [({0}, 1), ({1, 3}, 2), (set(range(16)), 4)])
def test_as_many_processes_as_processors(monkeypatch: pytest.MonkeyPatch, usable: set[int], expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)
    assert load_settings(None, {}).server.workers == expected
    assert load_settings(None, {"XMPP_REST_SERVER_WORKERS": "3"}).server.workers == 3


@pytest.mark.parametrize("value", ["0", "65", "all", "-1", ""])
def test_a_number_of_processes_that_is_none(value: str) -> None:
    with pytest.raises(SettingsError, match="from 1 to 64, or auto"):
        load_settings(None, {"XMPP_REST_SERVER_WORKERS": value})
