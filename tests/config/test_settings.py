"""Settings are read from file, environment and secret files, and every mistake is named with its remedy."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from xmpp_rest.config import manual
from xmpp_rest.config.binds import Bind
from xmpp_rest.config.load import SettingsError, load_settings
from xmpp_rest.config.table import SECTIONS, Settings
from xmpp_rest.protocol.jid import parse_jid

ROOT = Path(__file__).parents[2]


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
    assert s.server.bind == (Bind("127.0.0.1", 8080),)
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
        "XMPP_REST_POST_MSG_PREFIX": "/send",
        "XMPP_REST_CONFIG": "/elsewhere",
        "PATH": "/bin",
    }
    s = load_settings(ini(tmp_path, "[server]\nbind = 0.0.0.0:1\nthreads = 8\n[callback.bot]\nkinds = iq\nurl = http://old/\n"), environ)
    assert (s.server.bind, s.server.threads) == ((Bind("::1", 80),), 8)
    assert (s.callbacks["bot"].url, s.callbacks["bot"].content_type) == ("http://127.0.0.1/x", "application/json")
    assert s.callbacks["bot"].kinds == {"iq"}
    assert s.callbacks["my_bot"].kinds == {"message"}
    assert s.post_msg.prefix == "/send"


def test_a_secret_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("100% #hidden\n")
    assert load_settings(ini(tmp_path, "[link]\nsecret_file = secret\n"), {}).link.secret == "100% #hidden"
    (tmp_path / "other").write_text("other")
    environ = {"XMPP_REST_LINK_SECRET_FILE": str(tmp_path / "other")}
    assert load_settings(ini(tmp_path, "[link]\nsecret = in the file\n"), environ).link.secret == "other"


def test_a_secret_keeps_its_odd_characters(tmp_path: Path) -> None:
    assert load_settings(ini(tmp_path, "[link]\nsecret = %(x)s ;#'\" =\n"), {}).link.secret == "%(x)s ;#'\" ="


MISTAKES = {
    "[server\nbind = 127.0.0.1:1": ["line 1", "] of a section is missing"],
    "bind = 127.0.0.1:1\n[server]": ["line 1: bind:", "there is no section above it", "[server]"],
    "[server]\nbind 127.0.0.1": ["line 2: [server] bind:", "no = in it", "KEY = VALUE"],
    "[server]\nbind 127.0.0.1:8080": ["[server] bind:", "write bind, = and the value"],
    "[link]\nkind = none\nsecret\nhost = x": ["line 3: [link] secret:", "no = in it"],
    "[server]\n= 5": ["line 2: [server]:", "there is nothing before the ="],
    "[server] bind = 127.0.0.1:1": ["line 1: [server]:", "line of its own"],
    "[server]\nthreads = 8\n[link]\n[server]\nworkers = 1": ["line 4: [server]:", "appears twice, first in line 1"],
    "[server]\nbind = 127.0.0.1:8080 ; loopback": ["[server] bind:", "a comment needs a line of its own"],
    "[server]\nbind = 127.0.0.1:8080 ;loopback": ["[server] bind", "a comment needs a line of its own"],
    "[server]\ndata_dir = data  # everything": ["[server] data_dir:", "a comment needs a line of its own"],
    "[server]\ndata_dir = data #everything": ["[server] data_dir", "a comment needs a line of its own"],
    "[server]\nthreads = 8 ; many": ["[server] threads:", "a comment needs a line of its own"],
    "[gateway]\nrooms_domain = ; none": ["[gateway] rooms_domain:", "a comment needs a line of its own"],
    "[link]\nsecret = hunter2 ; of Prosody": ["[link] secret:", "a comment needs a line of its own", "secret_file"],
    "[server]\nbind = 127.0.0.1:1\n  threads = 8": ["[server] bind:", "threads = …", "indented"],
    "[gateway]\ndomain = 'gw.example'": ["[gateway] domain", "quotation marks"],
    "[server]\ndata_dir = \"data\"": ["[server] data_dir", "quotation marks"],
    "[server]\ndata_dir =": ["[server] data_dir", "path of a folder"],
    "[server]\ndata-dir = x": ["[server] data-dir", "did you mean data_dir?"],
    "[link]\nbind = 127.0.0.1:1": ["[link] bind", "it belongs below [server]"],
    "[server]\nport = 9000": ["[server] port", "write bind = HOST:PORT"],
    "[server]\nhost = 0.0.0.0": ["[server] host", "write bind = HOST:PORT"],
    "[Server]\nthreads = 8": ["[Server]", "did you mean server?"],
    "[callbacks.bot]\nurl = http://x/": ["[callbacks.bot]", "did you mean callback.NAME?"],
    "[callback]\nurl = http://x/": ["[callback]", "did you mean callback.NAME?"],
    "[link]\nhost = xmpp.example.net:5347": ["[link] host", "port = 5347"],
    "[link]\nhost = [::1]:5347": ["[link] host", "port = 5347"],
    "[link]\nhost = xmpp://server": ["[link] host", "a name or address alone"],
    "[link]\nhost =": ["[link] host", "a name or address alone"],
    "[link]\nport = 70000": ["[link] port", "from 1 to 65535"],
    "[link]\nport = 5347/tcp": ["[link] port", "whole number"],
    "[link]\nretry_max = 30s": ["[link] retry_max", "'30s'", "number of seconds"],
    "[link]\nkind = components": ["[link] kind", "did you mean component?"],
    "[server]\nlog_level = INFO": ["[server] log_level", "did you mean info?"],
    "[server]\nbind = 127.0.0.1:99999": ["[server] bind", "at most 65535"],
    "[server]\nbind = http://127.0.0.1:80": ["[server] bind", "HOST:PORT"],
    "[server]\nbody_limit = 10M": ["[server] body_limit", "'10M'", "whole number"],
    "[server]\npublic_url = gw.example.net": ["[server] public_url", "http:// or https://"],
    "[server]\nworker_class = xmpp_rest.serving.worker:Worker": ["[server] worker_class", "xmpp_rest.serving.worker.Worker"],
    "[server]\npin_workers = true": ["[server] pin_workers", "'true'", "yes, no"],
    "[gateway]\ndomain = https://gw.example": ["[gateway] domain", "gateway.example.net"],
    "[auth]\nadmins =": ["[auth] admins", "at least one address"],
    "[client]\norigins = app.example.net": ["[client] origins", "https://app.example.net"],
    "[callback.bot]\nurl = http://x\nkinds = message, mail": ["[callback.bot] kinds", "'mail'", "message, presence, iq"],
    "[rights.x]\nwho = everybody\nwhat = *": ["[rights.x] who", "everybody", "admin, account"],
    "[server]\nbind = 127.0.0.1": ["wsgi.ini: [server] bind", "'127.0.0.1'", "HOST:PORT"],
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
    "[callback.bot]\nurl = http://x:99999/": ["[callback.bot] url", "at most 65535"],
    "[callback.bot]\nurl = http://x\nevents = home": ["[callback.bot] events", "bare, full, host"],
    "[link]\nsecret_file = nowhere": ["[link] secret_file", "'nowhere'"],
    "[link]\nsecret = a\nsecret_file = nowhere": ["[link] secret_file", "keep one of the two"],
    "no section": ["wsgi.ini", "section"],
    "[server]\nbind = 127.0.0.1:1\nbind = 127.0.0.1:2": ["wsgi.ini, line 3: [server] bind:", "first in line 2", "keep one"],
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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("XMPP_REST_LINK_HOTS", "XMPP_REST_LINK_HOST"),
        ("XMPP_REST_SEVER_BIND", "XMPP_REST_SERVER_BIND"),
        ("XMPP_REST_DATA_DIR", "XMPP_REST_SERVER_DATA_DIR"),
        ("XMPP_REST_SERVER_DATADIR", "XMPP_REST_SERVER_DATA_DIR"),
        ("xmpp_rest_server_bind", "XMPP_REST_SERVER_BIND"),
        ("XMPP_REST_SERVER_PORT", "write XMPP_REST_SERVER_BIND=HOST:PORT"),
        ("XMPP_REST_LINK_SECRETFILE", "XMPP_REST_LINK_SECRET_FILE"),
        ("XMPP_REST_CALLBACK_BOT_ADRESS", "XMPP_REST_CALLBACK_BOT_ADDRESS"),
        ("XMPP_REST_CONFIGURATION", "XMPP_REST_CONFIG"),
        ("XMPP_REST_QQQQQQQQQ", "XMPP_REST_<SECTION>_<KEY>"),
    ],
)
def test_a_variable_of_the_environment_that_is_none(tmp_path: Path, name: str, meant: str) -> None:
    (unknown,) = problems(tmp_path, "", **{name: "x"})
    assert unknown.startswith(f"{name}: there is no such setting; ")
    assert meant in unknown


@pytest.mark.parametrize(("content", "says"), [(b"", "it is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 70000, "more than"), (None, "Is a directory")])
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is None:
        (tmp_path / "secret").mkdir()
    else:
        (tmp_path / "secret").write_bytes(content)
    (problem,) = problems(tmp_path, "[link]\nsecret_file = secret\n")
    assert "[link] secret_file = 'secret': cannot be read: " in problem
    assert says in problem
    assert "write the path of a text file" in problem


def test_no_part_of_a_secret_is_shown(tmp_path: Path) -> None:
    for text in ("[link]\nsecret =\nhunter2\n", "[link]\nsecret hunter2\n", "[link]\nsecret = hunter2 ; x\n", "[rest]\ncredentials = hunter2\n"):
        assert "hunter2" not in "".join(problems(tmp_path, text)), text


def test_a_file_as_other_editors_write_it(tmp_path: Path) -> None:
    path = tmp_path / "wsgi.ini"
    path.write_bytes("\ufeff# Configuration\r\n[server] ; the server\r\nBIND: [::1]:80\r\n\r\n  ; a comment\r\n[auth]\r\nadmins = a@x,\r\n  b@x\r\n".encode())
    s = load_settings(path, {})
    assert s.server.bind == (Bind("::1", 80),)
    assert s.auth.admins == (parse_jid("a@x"), parse_jid("b@x"))


@pytest.mark.parametrize("host", ["::1", "[::1]", "127.0.0.1", "xmpp.example.net", "xmpp_server", "localhost"])
def test_hosts_of_a_link(tmp_path: Path, host: str) -> None:
    assert load_settings(ini(tmp_path, f"[link]\nhost = {host}\n"), {}).link.host == host.strip("[]")


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
