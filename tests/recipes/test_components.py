"""Prosody and ejabberd with the components of deploy/, and gateways that attach all their domains to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.conftest import require
from tests.live.ejabberd import Ejabberd
from tests.live.gateway import Gateway, Sections
from tests.live.prosody import Prosody
from tests.live.xmppserver import DOMAIN, XMPPServer

from .servers import DEPLOY

NAME = "gateway.example.net"


def configure_prosody(server: XMPPServer) -> None:
    """The first part above the only VirtualHost, with another port than Prosody's own default; the second one after it."""
    _, above, below = re.split(r"^-- \d\. .*\n", (DEPLOY / "prosody-component.cfg.lua").read_text(), flags=re.MULTILINE)
    path = server.folder / "prosody.cfg.lua"
    text = re.sub(r"^component_(ports|interfaces).*\n", "", path.read_text(), flags=re.MULTILINE)
    above = above.replace("5347", str(server.component_port))
    path.write_text(re.sub(r"^(?=VirtualHost)", lambda _: above, text, count=1, flags=re.MULTILINE) + below)


def configure_ejabberd(server: XMPPServer) -> None:
    """The item of the list in place of the test's own."""
    _, item = (DEPLOY / "ejabberd-component.yml").read_text().split("listen:\n")
    path = server.folder / "ejabberd.yml"
    ours = rf"^  - port: {server.component_port}\n(?:    .*\n)+"
    text, count = re.subn(ours, lambda _: item.replace("5347", str(server.component_port)), path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


@pytest.fixture(params=[(Prosody, configure_prosody), (Ejabberd, configure_ejabberd)], ids=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[XMPPServer]:
    kind, configure = request.param
    require(kind.program)
    yield from prepared(kind(tmp_path / "server"), configure)


def prepared(server: XMPPServer, configure: Callable[[XMPPServer], None]) -> Iterator[XMPPServer]:
    server.configure()
    configure(server)
    (server.folder / "configured").touch()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_all_domains_are_attached(server: XMPPServer, tmp_path: Path) -> None:
    sections: Sections = {"gateway": {"domain": NAME}, "link": {"secret": "a secret of your own"}, "server": {"workers": 1}}
    gateway = Gateway(tmp_path / "gateway", server.component_port, sections)
    try:
        gateway.start()
        assert set(gateway.wait_state("online")) == {f"{sub}{NAME}" for sub in ("", "muclight.", "conference.")}
        assert gateway.request("GET", f"/rest/ping/{DOMAIN}").status == 200  # there and back
        sent = gateway.post_json({"to": f"juliet@{DOMAIN}", "body": "Art thou not Romeo?"}, Prefer="wait=10")
        assert sent.status == 202
        assert gateway.request("GET", f"/rest/outcome/{sent.headers['Stanza-Id']}").json()["state"] == "confirmed"
    finally:
        gateway.stop()
