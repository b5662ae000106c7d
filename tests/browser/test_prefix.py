"""The pages below a prefix, which a proxy takes away: all their links and requests are relative."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.child import LOOPBACK, Child, answers, free_port
from tests.live.conftest import require
from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY

from .chromium import Chromium

SITE = """
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
master_process off;
events {{}}
http {{
    access_log off;
    {temporary}
    server {{
        listen {host}:{port};
        location /gate/ {{
            proxy_pass http://{host}:{backend}/;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Prefix /gate;
        }}
    }}
}}
"""


class Prefixing(Child):
    """nginx, with the gateway below /gate/."""

    def __init__(self, folder: Path, backend: int) -> None:
        super().__init__(folder)
        self.port = free_port()
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        site = SITE.format(folder=folder, temporary=temporary, host=LOOPBACK, port=self.port, backend=backend)
        (folder / "nginx.conf").write_text(site)

    def command(self) -> list[str]:
        return ["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def ready(self) -> bool:
        return answers(self.port)


@pytest.fixture
def url(gateway: Gateway, tmp_path: Path) -> Iterator[str]:
    require("nginx", "/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)
    proxy = Prefixing(tmp_path / "nginx", gateway.port)
    proxy.start()
    yield f"http://{LOOPBACK}:{proxy.port}/gate"
    proxy.stop()


def test_all_pages_work_below_a_prefix(browser: Chromium, url: str) -> None:
    page = browser.open(f"{url}/")
    assert f"{url}/rest" in page.text("code")
    page.click("link", "docs")
    page.until("document.querySelector('.opblock-tag')")
    assert page.js("[...document.querySelectorAll('.servers option')].map((option) => option.value)") == ["/gate"]
    page.click("link", "Console")
    page.until("document.readyState === 'complete' && document.querySelector('#login:not([hidden])')")
    page.fill("textbox", "Address", f"juliet@{GATEWAY}")
    page.fill("textbox", "Password", PASSWORD)
    page.click("button", "Log in")
    page.wait_text("#state", "Connected")
    page.fill("textbox", "To", f"juliet@{GATEWAY}")
    page.fill("textbox", "Message", "to myself")
    page.click("button", "Send")
    page.wait_text("#outcome", "confirmed")
    page.wait_text("#events", "to myself")
    page.click("button", "Log out")
    page.until("!login.hidden")
    assert [asked for asked in page.requests() if not asked.startswith((f"{url}/", "data:"))] == []
    assert page.complaints() == []
    page.call("Page.close")
