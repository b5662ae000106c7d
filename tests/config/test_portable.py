"""A configuration for another folder says the same (config/portable.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmpp_rest.config.load import load_settings
from xmpp_rest.config.portable import portable, with_values

TEXT = """\
# of the house
[gateway]
domain = capulet.example
[server]
; where
data_dir = /var/lib/somewhere
origins = https://a.example,
  https://b.example

[link]
kind = component
secret_file = secret.txt
[callback.bot]
url = http://127.0.0.1:1/
secret = whsec_bm90aGluZw==
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("s3cret\n")
    path = tmp_path / "wsgi.ini"
    path.write_text(TEXT)
    return path


def moved(config: Path, environ: dict[str, str], changes: dict[tuple[str, str], str]) -> Path:
    """The portable configuration of `config`, in a folder of its own."""
    made = portable(str(config), changes, environ)
    there = config.parent / "there"
    (there / "secrets").mkdir(parents=True)
    (there / "wsgi.ini").write_text(made.text)
    for name, content in made.files.items():
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_bytes(content)
    return there / "wsgi.ini"


def test_it_says_the_same(config: Path) -> None:
    before = load_settings(config, {})
    after = load_settings(moved(config, {}, {("server", "data_dir"): "data"}), {})
    assert {name for name in before.written if before.written[name] != after.written[name]} == {"server.data_dir"}
    assert (after.server.data_dir, after.callbacks, after.link.secret) == ("data", before.callbacks, "s3cret")
    text = Path(after.file).read_text()
    assert "# of the house\n" in text
    assert "; where\ndata_dir = data\n" in text
    assert "secret_file = secrets/link.secret\n" in text


def test_the_templates_of_hooks_go_with_it(config: Path) -> None:
    templates = config.parent / "words"
    templates.mkdir()
    config.write_text(f"{TEXT}[hooks]\ntemplates = words\n")
    assert load_settings(moved(config, {}, {}), {}).hooks.templates == ""
    (templates / "json.txt").write_text("{{ text }}!")
    (templates / "notes.md").write_text("of the house")
    made = portable(str(config), {}, {})
    assert "templates = secrets/hooks.templates\n" in made.text
    assert {name: content for name, content in made.files.items() if "hooks" in name} == {"secrets/hooks.templates/json.txt": b"{{ text }}!"}


def test_the_authorities_of_other_servers_go_with_it(config: Path) -> None:
    (config.parent / "ca.pem").write_text("authorities")
    more = "[login.a]\ndomains = montague.example\nca_file = ca.pem\n[login.b]\ndomains = verona.example\nca_file =\n"
    config.write_text(TEXT + more)
    there = moved(config, {}, {})
    logins = load_settings(there, {}).logins
    assert logins["a"].ca_file == there.parent / "secrets/login.a.ca"
    assert (there.parent / "secrets/login.a.ca").read_text() == "authorities"
    assert (logins["b"].domains, logins["b"].ca_file) == (("verona.example",), None)


def test_what_the_environment_says_is_in_it(config: Path) -> None:
    (config.parent / "token").write_text("Bearer abc")
    environ = {
        "XMPP_REST_GATEWAY_DOMAIN": "montague.example", "XMPP_REST_LINK_SECRET": "other", "XMPP_REST_REST_CREDENTIALS_FILE": "token",
        "XMPP_REST_CALLBACK_BOT_TIMEOUT": "7", "XMPP_REST_ARCHIVE_KEEP": "1y",
    }  # fmt: skip
    before = load_settings(config, environ)
    after = load_settings(moved(config, environ, {}), {})
    assert before.written == after.written
    assert (before.callbacks, before.callbacks["bot"].timeout) == (after.callbacks, 7)


def test_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"XMPP_REST_GATEWAY_DOMAIN": "montague.example", "XMPP_REST_AUTH_ADMIN_PASSWORD": "x" * 12}
    made = portable("", {("server", "data_dir"): "data"}, environ)
    (tmp_path / "wsgi.ini").write_text(made.text)
    assert load_settings(tmp_path / "wsgi.ini", {}).written == load_settings(None, environ).written


def test_a_setting_under_its_old_name(config: Path) -> None:
    config.write_text("[client]\norigins = https://a.example\n")
    assert load_settings(moved(config, {}, {}), {}).server.origins == {"https://a.example"}


def test_lines_that_belong_to_a_value_go_with_it() -> None:
    text = "[a]\nx = 1,\n   2\n\n# y\ny = 3\n"
    assert with_values(text, {("a", "x"): "4"}) == "[a]\nx = 4\n\n# y\ny = 3\n"
    assert with_values(text, {("a", "x"): None}) == "[a]\n\n# y\ny = 3\n"
    assert with_values(text, {("a", "z"): "5\n6", ("b", "x"): "7"}) == "[a]\nz = 5\n    6\nx = 1,\n   2\n\n# y\ny = 3\n\n[b]\nx = 7\n"
