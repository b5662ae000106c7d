"""Debian's Alertmanager, configured as docs/senders/alertmanager.md shows it, reaches a person, and tries again where it should."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.clients.conftest import Hosted
from tests.clients.pages import blocks
from tests.live.child import LOOPBACK, Child, free_port
from tests.live.conftest import require
from tests.live.xmppserver import GATEWAY

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
ROUTE = """
route:
  receiver: xmpp
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - {receiver: nobody, matchers: [severity = nobody]}
    - {receiver: limited, matchers: [severity = limited]}
"""
OTHERS = """
  - name: nobody
    webhook_configs: [{url: "http://ADDRESS/hooks/NOBODY"}]
  - name: limited
    webhook_configs: [{url: "http://ADDRESS/hooks/LIMITED"}]
"""


class Alertmanager(Child):
    """One Alertmanager with this configuration, without a cluster."""

    def __init__(self, folder: Path, configuration: str, limited: str) -> None:
        """`limited`: the URL of the hook that takes few requests."""
        super().__init__(folder)
        self.limited = limited
        self.port = free_port()
        (folder / "alertmanager.yml").write_text(configuration)

    def command(self) -> list[str]:
        listen = f"--web.listen-address={LOOPBACK}:{self.port}"
        return ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=", listen]

    def ready(self) -> bool:
        try:
            return requests.get(f"http://{LOOPBACK}:{self.port}/-/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def tell(self, severity: str, name: str, summary: str, ends: str | None = None) -> None:
        """An alert fires, or is over."""
        alert = {"labels": {"alertname": name, "instance": "web1", "severity": severity}, "annotations": {"summary": summary}}
        alerts = [alert | ({"endsAt": ends} if ends else {})]
        requests.post(f"http://{LOOPBACK}:{self.port}/api/v2/alerts", json=alerts, timeout=30).raise_for_status()

    def count(self, metric: str) -> float:
        """The sum of a counter over its labels, those of integration webhook."""
        lines = requests.get(f"http://{LOOPBACK}:{self.port}/metrics", timeout=30).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(metric + "{") and 'integration="webhook"' in line)


@pytest.fixture(scope="module")
def alertmanager(hosted: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    require("prometheus-alertmanager")
    token = hosted.make("alerts", update=True)
    (receivers,) = blocks("alertmanager.md", "yaml", hosted.address, GATEWAY, token)
    others = OTHERS.replace("NOBODY", hosted.make("gone", targets=["nobody@elsewhere.example"])).replace("ADDRESS", hosted.address)
    limited = hosted.make("limited", rate=12)
    alertmanager = Alertmanager(tmp_path_factory.mktemp("alertmanager"), ROUTE + receivers + others.replace("LIMITED", limited), f"http://{hosted.address}/hooks/{limited}")
    alertmanager.start()
    yield alertmanager
    alertmanager.stop()


def until(reached: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def arrives(hosted: Hosted, count: int) -> list[str]:
    """So many texts that nurse gets, one after the other."""
    texts: list[str] = []

    def reached() -> bool:
        texts.extend(hosted.inbox())
        return len(texts) >= count

    until(reached, f"{count} messages: {texts}")
    return texts


def test_an_alert_fires_and_is_resolved(hosted: Hosted, alertmanager: Alertmanager) -> None:
    alertmanager.tell("page", "DiskFull", "The disk of web1 is full")
    (firing,) = arrives(hosted, 1)
    assert firing.splitlines()[0].startswith("🔥 *FIRING DiskFull*")
    assert "The disk of web1 is full" in firing
    alertmanager.tell("page", "DiskFull", "The disk of web1 is full", ends="2026-01-01T00:00:00Z")
    (resolved,) = arrives(hosted, 1)
    assert resolved.splitlines()[0].startswith("✅ *RESOLVED DiskFull*")
    messages = hosted.request("GET", f"/api/messages/hooks@{GATEWAY}", user="nurse").json()
    assert [message["body"] for message in messages][-2:] == [firing, resolved], json.dumps(messages)


def test_what_is_refused_for_good_is_given_up_and_counted(hosted: Hosted, alertmanager: Alertmanager) -> None:
    before = alertmanager.count("alertmanager_notification_requests_failed_total")
    alertmanager.tell("nobody", "Gone", "x")
    until(lambda: alertmanager.count("alertmanager_notifications_failed_total") == 1, "a failed notification")
    assert alertmanager.count("alertmanager_notification_requests_failed_total") == before + 1  # it did not try again


def test_what_is_limited_is_tried_again(hosted: Hosted, alertmanager: Alertmanager) -> None:
    """The bucket is emptied; the next request is possible five seconds later."""
    spent = 0
    while requests.post(alertmanager.limited, data=f"{spent}", timeout=30).status_code == 200:
        spent += 1
    assert spent >= 12
    arrives(hosted, spent)
    before = alertmanager.count("alertmanager_notification_requests_failed_total")
    alertmanager.tell("limited", "Limited", "It is late")
    until(lambda: alertmanager.count("alertmanager_notification_requests_failed_total") > before, "a refused attempt")
    assert "It is late" in arrives(hosted, 1)[0]
