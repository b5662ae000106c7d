"""Runs the gateway as its users do, as a process of its own, and speaks HTTP with it."""

from __future__ import annotations

import configparser
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3
from urllib3.util import make_headers

from .child import LOOPBACK, Child, answers, free_port
from .xmppserver import GATEWAY, SECRET
from .xmppserver import PASSWORD as THERE

ROOT = Path(__file__).parents[2]
PASSWORD = "a rose by any other name"
TOKEN = "parting-is-such-sweet-sorrow"
XML = "application/xmpp+xml"
Sections = Mapping[str, Mapping[str, object]]


class Gateway(Child):
    """`python app.py --config FILE` with an ini and a data folder of its own. `sections` add to the settings below, or replace them."""

    def __init__(self, folder: Path, link_port: int, sections: Sections | None = None) -> None:
        super().__init__(folder)
        self.port = free_port()
        settings: dict[str, dict[str, object]] = {
            "server": {"bind": f"{LOOPBACK}:{self.port}", "data_dir": "data", "log_level": "info"},
            "gateway": {"domain": GATEWAY},
            "link": {"kind": "component", "host": LOOPBACK, "port": link_port, "secret": SECRET, "retry_max": 1},
            "auth": {"admin_password": PASSWORD},
            "rest": {"credentials": f"Bearer {TOKEN}", "iq_timeout": 20},
        }
        for name, keys in (sections or {}).items():
            settings.setdefault(name, {}).update(keys)
        ini = configparser.ConfigParser(interpolation=None)
        ini.read_dict(settings)
        with (folder / "wsgi.ini").open("w") as f:
            ini.write(f)

    def command(self) -> list[str]:
        return [sys.executable, str(ROOT / "app.py"), "--config", str(self.folder / "wsgi.ini")]

    def environment(self) -> Mapping[str, str]:
        return {"PYTHONUNBUFFERED": "1"}

    def begin(self) -> None:
        self.connect_anew()
        super().begin()

    def connect_anew(self) -> None:
        """Ask on new connections from now on."""
        self.http = urllib3.HTTPConnectionPool(LOOPBACK, self.port, maxsize=8, retries=False, timeout=30)

    def ready(self) -> bool:
        try:
            return answers(self.port) and self.http.request("GET", "/health").status == 200
        except urllib3.exceptions.HTTPError:  # it just began, or it is about to end
            return False

    def stop(self, timeout: float = 30.0) -> None:
        self.http.close()
        super().stop(timeout)

    def kill(self) -> None:
        self.http.close()
        super().kill()

    def request(
        self, method: str, path: str, body: str | bytes | None = None, content_type: str = "", user: str = "", **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """One request: as the account `user`, or as the component itself without; `_` in a header's name stands for `-`.

        `user`: a localpart, or the address of an account of another server.
        """
        name = f"{user}:{THERE}" if "@" in user else f"{user}@{GATEWAY}:{PASSWORD}"
        who = make_headers(basic_auth=name) if user else {"Authorization": f"Bearer {TOKEN}"}
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"Content-Type": content_type} if content_type else {}
        data = body.encode() if isinstance(body, str) else body
        return self.http.request(method, path, body=data, headers={**who, **kind, **fields})

    def post_xml(self, xml: str | bytes, user: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
        """POST a stanza to /rest."""
        return self.request("POST", "/rest", xml, XML, user, **headers)

    def post_json(self, data: object, user: str = "", path: str = "/rest", **headers: str) -> urllib3.BaseHTTPResponse:
        """POST a stanza as JSON."""
        return self.request("POST", path, json.dumps(data), "application/json", user, **headers)

    def send(self, xml: str, user: str = "") -> None:
        """POST a message or presence that must be accepted."""
        answer = self.post_xml(xml, user)
        assert answer.status == 202, (answer.status, answer.data)

    def register(self, user: str) -> None:
        """Make an account, as the administrator would."""
        account = {"user": user, "host": GATEWAY, "password": PASSWORD}
        answer = self.post_json(account, "admin", "/api/register")
        assert answer.status == 200, (answer.status, answer.data)

    def status(self) -> dict[str, Any]:
        """What GET /status says."""
        answer = self.http.request("GET", "/status", headers=make_headers(basic_auth=f"admin:{PASSWORD}"))
        data: dict[str, Any] = answer.json()
        return data

    def streams(self) -> dict[str, dict[str, Any]]:
        """Hosted domain → the state of its stream."""
        return {stream["domain"]: stream for stream in self.status()["link"]["streams"]}

    def wait_state(self, wanted: str, timeout: float = 30.0) -> dict[str, dict[str, Any]]:
        """The streams, once all of them are in this state. Raises TimeoutError."""
        return self.wait_streams(lambda streams: all(s["state"] == wanted for s in streams.values()), timeout)

    def wait_streams(self, wanted: Callable[[dict[str, dict[str, Any]]], bool], timeout: float = 30.0) -> dict[str, dict[str, Any]]:
        """The streams, once they are as `wanted`. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while not wanted(streams := self.streams()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{streams}")
            time.sleep(0.05)
        return streams
