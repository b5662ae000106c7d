"""deploy/compose/: the gateway has few rights and is not published, and Prosody as configured there takes its link."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.child import free_port
from tests.live.conftest import require
from tests.live.gateway import Gateway
from tests.live.prosody import Prosody
from tests.packages.once import ROOT
from xmpp_rest import __version__
from xmpp_rest.config.load import load_settings

FOLDER = ROOT / "deploy/compose"
SECRET = "/run/secrets/link"


@pytest.fixture
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text())["services"]
    return services


def test_the_gateway_has_few_rights(services: dict[str, Any]) -> None:
    gateway = services["gateway"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])
    assert gateway["image"] == f"xmpp-rest:{__version__}"
    assert gateway["build"] == {"context": "../..", "dockerfile": "Containerfile"}
    assert not any(port.startswith(("5347", "0.0.0.0:5347")) for port in services["prosody"]["ports"])


def test_its_settings_are_settings(services: dict[str, Any], tmp_path: Path) -> None:
    environ = services["gateway"]["environment"]
    assert environ["XMPP_REST_LINK_SECRET_FILE"] == SECRET
    secret = tmp_path / "secret"
    secret.write_text("of both\n")
    settings = load_settings(ROOT / "deploy/container.ini", {**environ, "XMPP_REST_LINK_SECRET_FILE": str(secret)})
    assert (settings.link.kind, settings.link.host, settings.link.port, settings.link.secret) == ("component", "prosody", 5347, "of both")


@pytest.mark.live
def test_prosody_takes_the_link(services: dict[str, Any], tmp_path: Path) -> None:
    require("prosody")
    server = Prosody(tmp_path / "prosody")
    server.configure()
    (server.folder / "configured").touch()
    (tmp_path / "link-secret").write_text("of both\n")
    text = (FOLDER / "prosody.cfg.lua").read_text()
    for there, here in ((SECRET, f"{tmp_path}/link-secret"), ("/var/lib/prosody", f"{server.folder}/data"), ("5347", str(server.component_port))):
        assert there in text
        text = text.replace(there, here)
    ports = f'run_as_root = true\npidfile = "{server.folder}/prosody.pid"\nc2s_ports = {{ {server.c2s_port} }}\ns2s_ports = {{ {free_port()} }}\n'
    quiet = "http_ports = {}\nhttps_ports = {}\nc2s_direct_tls_ports = {}\ns2s_direct_tls_ports = {}\ninterfaces = { '127.0.0.1' }\n"
    text = re.sub(r"^(?=VirtualHost)", lambda _: ports + quiet, text, count=1, flags=re.MULTILINE)
    (server.folder / "prosody.cfg.lua").write_text(text.replace('component_interfaces = { "*" }', 'component_interfaces = { "127.0.0.1" }'))
    domain = services["gateway"]["environment"]["XMPP_REST_GATEWAY_DOMAIN"]
    gateway = Gateway(tmp_path / "gateway", server.component_port, {"gateway": {"domain": domain}, "link": {"secret": "of both"}})
    server.start()
    try:
        gateway.start()
        assert set(gateway.wait_state("online")) == {f"{sub}{domain}" for sub in ("", "muclight.", "conference.")}
    finally:
        gateway.stop()
        server.stop()
