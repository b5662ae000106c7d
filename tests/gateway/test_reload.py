"""A changed configuration is in force after `reload_config`, or named in its answer (commands-api §12)."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.conftest import DOMAIN, PASSWORD, basic
from tests.live.child import free_port
from tests.logs.levels import levels_kept
from xmpp_rest.api.commands import registry
from xmpp_rest.application import build
from xmpp_rest.cli import serve
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.live import LIVE, merge
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import SECTIONS, key_of
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.put_in_force import refreshed

ADMIN, JULIET = basic(f"admin@{DOMAIN}"), basic(f"juliet@{DOMAIN}")
BEGINNING = f"[gateway]\ndomain = {DOMAIN}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n"
Make = Callable[[], Flask]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "wsgi.ini"
    path.write_text(BEGINNING)
    return path


@pytest.fixture
def make(config: Path) -> Iterator[Make]:
    """Builds an application by the file, as each process does."""
    built: list[Gateway] = []

    def process() -> Flask:
        app = build(load_settings(config, {}))
        built.append(app.extensions["gateway"])
        return app

    yield process
    for gateway in reversed(built):
        gateway.stop()


@pytest.fixture
def app(make: Make) -> Flask:
    app = make()
    gateway: Gateway = app.extensions["gateway"]
    gateway.parts.accounts.register(gateway.parts.accounts.address("juliet", DOMAIN), PASSWORD)
    return app


def reload(app: Flask, path: str = "reload_config", headers: dict[str, str] = ADMIN) -> tuple[int, Any]:
    response = app.test_client().post(f"/api/{path}", data="{}", headers=headers)
    return response.status_code, response.get_json()


def change(config: Path, **keys: str) -> None:
    """Write these keys, `section_key`, into the file."""
    text = BEGINNING
    for name, value in keys.items():
        section, _, key = name.partition("_")
        text = text.replace(f"[{section}]\n", f"[{section}]\n{key} = {value}\n") if f"[{section}]" in text else f"{text}[{section}]\n{key} = {value}\n"
    config.write_text(text)


def test_nothing_has_changed(app: Flask) -> None:
    assert reload(app) == (200, 0)
    assert reload(app, "reload_config/v0") == (200, 0)


def test_rights(app: Flask, config: Path) -> None:
    client = app.test_client()
    assert client.get("/api/registered_vhosts", headers=JULIET).status_code == 403
    config.write_text(f"{BEGINNING}[rights.everybody]\nwho = account\nwhat = registered_vhosts\n")
    assert reload(app) == (200, 0)
    assert client.get("/api/registered_vhosts", headers=JULIET).status_code == 200
    config.write_text(BEGINNING)
    assert reload(app) == (200, 0)
    assert client.get("/api/registered_vhosts", headers=JULIET).status_code == 403


def test_administrators(app: Flask, config: Path) -> None:
    change(config, auth_admins=f"juliet@{DOMAIN}")
    assert reload(app) == (200, 0)
    assert reload(app)[0] == 403
    assert reload(app, headers=JULIET) == (200, 0)
    assert app.test_client().get("/status", headers=ADMIN).status_code == 403


def test_how_long_archives_are_kept(app: Flask, config: Path) -> None:
    gateway: Gateway = app.extensions["gateway"]
    gateway.driver.archive_append("juliet", DOMAIN, "archive", "<message/>", when=time.time() - 2 * 86400)
    assert gateway.parts.retention.prune().items == 0
    change(config, archive_keep="1d")
    assert reload(app) == (200, 0)
    assert gateway.parts.retention.prune().items == 1


def test_accounts_of_other_servers(app: Flask, config: Path) -> None:
    """What is asked for romeo tells whether his domain is listed, and by which section: nobody listens at these ports."""
    client, romeo = app.test_client(), basic("romeo@montague.example")
    dark = free_port()

    def answer() -> tuple[int, str]:
        told = client.get("/rest/outcome/1", headers=romeo)
        return told.status_code, told.get_json()["error"]["text"]

    listed = f"[login.montagues]\ndomains = montague.example\nhost = 127.0.0.1\nport = {dark}\ntls = direct\n"
    nobody, silent = (403, "Credentials not accepted"), (503, "The server of montague.example cannot be reached; try again later")
    assert answer() == nobody
    config.write_text(BEGINNING + listed)
    assert reload(app) == (200, 0)
    assert answer() == silent
    config.write_text(BEGINNING + listed.replace("montague.example", DOMAIN))
    status, told = reload(app)
    assert status != 200
    assert f"[login.montagues] domains: {DOMAIN}: is hosted here" in json.dumps(told)
    assert answer() == silent
    config.write_text(f"{BEGINNING}{listed}[sessions]\nidle = 7\n")
    assert reload(app) == (200, 0)
    assert app.extensions["gateway"].settings.sessions.idle == 7
    config.write_text(BEGINNING)
    assert reload(app) == (200, 0)
    assert answer() == nobody


def test_the_fixed_token(app: Flask, config: Path) -> None:
    message = {"kind": "message", "to": f"juliet@{DOMAIN}", "body": "Romeo?"}
    token = {"Authorization": "Bearer hand-in-glove"}
    assert app.test_client().post("/rest", json=message, headers=token).status_code == 403
    (config.parent / "token").write_text("Bearer hand-in-glove\n")
    change(config, rest_credentials_file="token")
    assert reload(app) == (200, 0)
    assert app.test_client().post("/rest", json=message, headers=token).status_code == 202


def test_passwords(app: Flask, config: Path) -> None:
    gateway: Gateway = app.extensions["gateway"]
    change(config, auth_password_hash="SHA-256", auth_failures="1")
    config.write_text(config.read_text().replace("4096", "5000"))
    assert reload(app) == (200, 0)
    added = {"user": "nurse", "host": DOMAIN, "password": PASSWORD}
    assert app.test_client().post("/api/register", json=added, headers=ADMIN).status_code == 200
    record = gateway.parts.accounts.record(gateway.parts.accounts.address("nurse", DOMAIN))
    assert record
    assert (record["iteration_count"], len(record["stored_key"])) == (5000, 64)
    wrong = basic(f"juliet@{DOMAIN}", "wrong")
    assert [reload(app, headers=wrong)[0] for _ in range(2)] == [401, 429]


@pytest.mark.parametrize(
    ("keys", "request_", "before", "after"),
    [
        ({"commands_default_version": "0"}, ("POST", "/api/get_loglevel", "{}"), r'"\w+"', r'\{"levelatom":"\w+"\}'),
        ({"rest_stanza_size_limit": "1024"}, ("POST", "/rest", json.dumps({"kind": "message", "body": "x" * 2000})), None, 413),
        ({"data_size_limit": "1024"}, ("PUT", f"/data/{DOMAIN}/admin/motd", json.dumps({"text": "x" * 2000})), None, 413),
        ({"client_body_limit": "1024"}, ("POST", "/api/messages", json.dumps({"to": f"juliet@{DOMAIN}", "body": "x" * 2000})), None, 413),
    ],
)
def test_what_is_read_for_each_request(
    app: Flask, config: Path, keys: dict[str, str], request_: tuple[str, str, str], before: Any, after: Any
) -> None:
    def ask() -> tuple[int, str]:
        method, path, body = request_
        response = app.test_client().open(path, method=method, data=body, headers=ADMIN | {"Content-Type": "application/json"})
        return response.status_code, response.text

    first = ask()
    change(config, **keys)
    assert reload(app) == (200, 0)
    second = ask()
    if isinstance(after, int):
        assert (first[0] < 300, second[0]) == (True, after)
    else:
        assert re.fullmatch(before, first[1])
        assert re.fullmatch(after, second[1])


def test_tokens_and_realm(app: Flask, config: Path) -> None:
    change(config, oauth_expire="77", oauth_client_check="allow", client_realm="verona", server_public_url="https://gateway.example.net")
    assert reload(app) == (200, 0)
    form = {"grant_type": "password", "username": "juliet", "password": PASSWORD}
    assert app.test_client().post("/oauth/token", data=form).get_json()["expires_in"] == 77
    assert app.test_client().get("/api/contacts").headers["WWW-Authenticate"] == 'Basic realm="verona"'


def test_the_log(app: Flask, config: Path) -> None:
    loggers = [logging.getLogger(f"xmpp_rest.{area}") for area in ("server", "link", "audit")]
    with levels_kept():
        change(config, server_log_level="error", server_log_levels="link=debug, audit=error", server_access_log="off")
        assert reload(app) == (200, 0)
        assert [logger.getEffectiveLevel() for logger in loggers] == [logging.ERROR, logging.DEBUG, logging.INFO]
        assert app.extensions["gateway"].settings.server.access_log == "off"
        change(config, server_log_level="warning")
        assert reload(app) == (200, 0)
        assert [logger.getEffectiveLevel() for logger in loggers] == [logging.WARNING, logging.WARNING, logging.INFO]


def test_what_needs_a_restart_is_named(app: Flask, config: Path) -> None:
    change(config, server_threads="32", rest_iq_waiting="9", oauth_expire="77")
    config.write_text(f"{config.read_text()}[callback.bot]\nurl = http://user:s3cret@127.0.0.1/\naddress = bot@{DOMAIN}\n")
    status, text = reload(app)
    assert (status, text) == (
        400, "These need a restart: [server] threads, [rest] iq_waiting, [callback.bot]. All else is in force",
    )  # fmt: skip
    settings = app.extensions["gateway"].settings
    assert (settings.server.threads, settings.rest.iq_waiting, settings.callbacks, settings.oauth.expire) == (64, 4096, {}, 77)
    assert reload(app)[0] == 400  # it still does
    change(config, oauth_expire="77")
    assert reload(app) == (200, 0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[oauth]\nexpire = soon\n", "[oauth] expire"),
        ("[rest]\ncredentials = s3cret\n", "(hidden)"),
        ("[rights.x]\nwhat = no_such_command\n", "no_such_command"),
        ("[link]\nkind = component\n", "[link] secret"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_wrong_configuration_changes_nothing(app: Flask, config: Path, text: str, named: str) -> None:
    before = app.extensions["gateway"].settings
    config.write_text(f"{BEGINNING}[commands]\ndefault_version = 0\n{text}" if text != "nonsense" else text)
    status, body = reload(app)
    assert (status, body.startswith("Nothing was changed: "), named in body) == (400, True, True)
    assert "s3cret" not in body
    assert app.extensions["gateway"].settings is before


def test_another_domain_shuts_nobody_out(app: Flask, config: Path) -> None:
    """Administrators and rights that are written with `<domain>` go with the domain: to the next start."""
    text = BEGINNING.replace(DOMAIN, "montague.example") + "[commands]\ndefault_version = 0\n[rights.romeo]\nwho = romeo@<domain>\nwhat = status\n"
    config.write_text(text)
    status, body = reload(app)
    assert status == 400
    for name in ("[gateway] domain", "[auth] admins", "[rights.romeo]"):
        assert name in body
    assert app.test_client().post("/api/stats", data='{"name":"registeredusers"}', headers=ADMIN).get_json() == {"stat": 2}
    config.write_text(BEGINNING)
    assert reload(app) == (200, 0)


def test_a_file_that_is_gone(app: Flask, config: Path) -> None:
    config.unlink()
    assert reload(app)[0] == 400


def test_only_administrators(app: Flask) -> None:
    assert reload(app, headers=JULIET)[0] == 403
    assert reload(app, headers={})[0] == 403


def test_all_processes(app: Flask, make: Make, config: Path) -> None:
    other = make()
    for each in (app, other):
        each.extensions["gateway"].start()
    assert app.extensions["gateway"].parts.remote.group.is_leader
    assert not other.extensions["gateway"].parts.remote.group.is_leader
    for asked, expire in ((other, 77), (app, 88)):
        change(config, oauth_expire=str(expire))
        assert reload(asked) == (200, 0)
        end = time.monotonic() + 30
        while (found := [a.extensions["gateway"].settings.oauth.expire for a in (app, other)]) != [expire] * 2:
            assert time.monotonic() < end, found
            time.sleep(0.01)


def test_a_process_that_comes_later(config: Path, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """gunicorn starts another worker in place of one that died, with the settings of its own start."""
    old = load_settings(config, {})
    change(config, oauth_expire="77", oauth_client_check="allow", server_threads="32")
    app = make()
    assert serve.load(old, app, old, is_first=True) is app
    later = serve.load(old, app, old, is_first=False).extensions["gateway"]
    assert (later.settings.oauth.expire, later.settings.server.threads) == (77, 64)
    later.stop()
    change(config, oauth_expire="soon")
    assert serve.load(old, app, old, is_first=False) is app
    assert refreshed(old) is old
    assert "counts as it was" in caplog.text


def test_the_table_names_settings_that_there_are() -> None:
    for section, keys in LIVE.items():
        assert keys <= {key_of(f) for f in fields(SECTIONS[section])}


def test_the_page_names_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "running.md").read_text("utf-8")
    (part,) = re.findall(r"^## Changing the configuration\n(.+?)^## ", text, re.MULTILINE | re.DOTALL)
    listed = {section: set(re.findall(r"`(\w+)`", keys)) for section, keys in re.findall(r"^\| `\[(\w+)\]` \| (.+) \|$", part, re.MULTILINE)}
    assert listed == LIVE


def test_relative_paths_stay_what_they_are(config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(config.parent)
    settings = load_settings(Path("wsgi.ini"), {})
    require_sense(settings, registry())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert merge(settings, settings.again()) == (settings, [], [])


def test_what_auto_comes_to_in_a_pinned_process(app: Flask, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = app.extensions["gateway"].settings.server.workers
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(before + 1 if before < 4 else 1)), raising=False)
    assert load_settings(config, {}).server.workers != before
    assert reload(app) == (200, 0)
    change(config, server_workers="auto")
    assert reload(app) == (200, 0)
    change(config, server_workers=str(before + 1))
    assert reload(app) == (400, "These need a restart: [server] workers. All else is in force")


def test_a_live_setting_comes_and_goes(app: Flask, config: Path, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("2", "3", "2"):
        change(config, commands_default_version=text)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert reload(app) == (200, 0)
        assert "in force: [commands] default_version" in caplog.text
