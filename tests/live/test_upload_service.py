"""The upload service through real servers, with slixmpp's upload plug-in as the client (files §4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from .child import LOOPBACK, free_port
from .conftest import ONE_STREAM
from .gateway import Gateway
from .users import EventLoop, User
from .xmppserver import DOMAIN, GATEWAY, XMPPServer

NAMESPACE = "urn:xmpp:http:upload:0"


@pytest.fixture(scope="module")
def gateway(server: XMPPServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway where juliet, a user of the server, may upload, and nobody else of there."""
    port = free_port()
    server_section = {"bind": f"{LOOPBACK}:{port}", "public_url": f"http://{LOOPBACK}:{port}"}
    files = {"access": f"account, juliet@{DOMAIN}", "max_size": 1 << 20, "quota": 3 << 20}
    running = Gateway(tmp_path_factory.mktemp("gateway"), server.component_port, {**ONE_STREAM, "server": server_section, "files": files})
    running.port = port
    try:
        running.start()
        running.register("romeo")
        running.wait_state("online")
        yield running
    finally:
        running.stop()


def plugin(user: User) -> Any:
    user._xmpp.register_plugin("xep_0363")
    return user._xmpp.plugin["xep_0363"]


def upload(loop: EventLoop, user: User, path: Path, kind: str | None = None) -> str:
    """The URL at which slixmpp says that it is: service discovery, slot and PUT are its own."""
    with path.open("rb") as file:  # one that slixmpp opens itself, it does not close if it refuses it
        url: str = loop.call(plugin(user).upload_file(path, content_type=kind, input_file=file, timeout=20))
    return url


def test_slixmpp_finds_the_service_and_uploads(gateway: Gateway, juliet: User, event_loop_thread: EventLoop, tmp_path: Path) -> None:
    content = b"a rose by any other name " * 20000
    (tmp_path / "a röse.png").write_bytes(content)
    url = upload(event_loop_thread, juliet, tmp_path / "a röse.png", "image/png")
    assert url.startswith(f"http://{LOOPBACK}:{gateway.port}/files/")
    assert url.endswith("/a%20r%C3%B6se.png")
    answer = urllib3.request("GET", url)
    assert (answer.status, answer.data == content) == (200, True)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert answer.headers["Content-Type"] == "image/png"
    assert gateway.status()["files"] == {"own": True, "service": GATEWAY, "reason": None, "count": 1, "used": len(content)}


def test_others_do_not_see_it(gateway: Gateway, nurse: User, event_loop_thread: EventLoop, tmp_path: Path) -> None:
    from slixmpp.plugins.xep_0363 import UploadServiceNotFound

    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(UploadServiceNotFound):
        upload(event_loop_thread, nurse, tmp_path / "x")
    answer = nurse.iq(GATEWAY, f"<request xmlns='{NAMESPACE}' filename='x' size='1'/>")
    assert answer.find("{*}error/{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden") is not None


def test_slixmpp_hears_of_the_largest_size(gateway: Gateway, juliet: User, event_loop_thread: EventLoop, tmp_path: Path) -> None:
    from slixmpp.plugins.xep_0363 import FileTooBig

    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(FileTooBig):
        upload(event_loop_thread, juliet, tmp_path / "large")
    answer = juliet.iq(GATEWAY, f"<request xmlns='{NAMESPACE}' filename='x' size='{2 << 20}'/>")
    assert answer.findtext(f".//{{{NAMESPACE}}}max-file-size") == str(1 << 20)
    answers = [
        juliet.iq(GATEWAY, f"<request xmlns='{NAMESPACE}' filename='x' size='{1 << 20}'/>") for _ in range(4)
    ]  # one more than the quota
    assert answers[-1].find(f".//{{{NAMESPACE}}}retry") is not None


def test_a_hosted_account_asks_over_http(gateway: Gateway) -> None:
    answer = gateway.request("GET", f"/rest/upload_request/{GATEWAY}?filename=x.txt&size=4", user="romeo", Accept="application/json")
    assert answer.status == 200, answer.data
    put = answer.json()["upload_slot"]["put"]
    fields = {field["name"]: field["value"] for field in put["headers"]}
    assert urllib3.request("PUT", put["url"], body=b"rose", headers=fields).status == 201
    assert urllib3.request("GET", put["url"]).data == b"rose"
