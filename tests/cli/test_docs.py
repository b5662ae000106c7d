"""The token of docs/command-line.md, made without a gateway. (tests/test_pages.py runs all lines of the page.)"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from xmpp_rest.application import build
from xmpp_rest.cli.__main__ import main
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")


def start(config: Path) -> None:
    """A gateway that has been there and made the storage."""
    gateway: Gateway = build(load_settings(config, {})).extensions["gateway"]
    gateway.prepare()
    gateway.stop()


def test_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "wsgi.ini"
    config.write_text("[auth]\niterations = 4096\n")
    monkeypatch.setenv("XMPP_REST_CONFIG", str(config))
    start(config)
    main(["--offline", "register", "juliet", "localhost", PASSWORD])
    capsys.readouterr()
    (words,) = re.findall(r"^\$ xmpp-restctl (token .+)$", PAGE, re.MULTILINE)
    assert main(["--offline", *shlex.split(words)]) == 0
    token = capsys.readouterr().out.strip()
    assert re.fullmatch(r"[A-Za-z0-9]{32}", token)
    audit = (tmp_path / "data" / "audit.log").read_text()
    assert r'command=token arguments="{\"jid\":\"juliet@localhost\",\"scopes\":[\"send:ops@*\"],\"ttl\":2592000}" status=200' in audit
    assert token not in audit
