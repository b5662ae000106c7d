"""What ntfy's documentation does with curl works against a gateway of two processes: publishing in all its forms, polls, streams."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.child import free_port
from tests.live.gateway import PASSWORD, Gateway, Sections
from tests.live.xmppserver import GATEWAY

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not shutil.which("curl") and not os.environ.get("XMPP_REST_REQUIRE_LIVE"), reason="curl is not installed"),
]


class Topic:
    """A hook that sends to juliet, as curl sees it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.root = f"http://127.0.0.1:{gateway.port}"
        answer = gateway.post_json({"name": "backups", "targets": [f"juliet@{GATEWAY}"], "rate": 6000}, "admin", "/hooks")
        assert answer.status == 201, answer.data
        self.token: str = answer.json()["token"]
        self.url = f"{self.root}/ntfy/{self.token}"

    def curl(self, *arguments: str, at: str = "") -> dict[str, Any]:
        """What curl is answered, as JSON."""
        answer: dict[str, Any] = json.loads(run(*arguments, at or self.url))
        return answer

    def last(self) -> str:
        """The last message that juliet has."""
        (message,) = self.gateway.request("GET", "/api/messages?limit=1", user="juliet").json()
        return str(message["body"])


def run(*arguments: str) -> str:
    return subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def topic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topic]:
    sections: Sections = {"link": {"kind": "none"}, "server": {"workers": 2}}
    gateway = Gateway(tmp_path_factory.mktemp("ntfy"), free_port(), sections)
    gateway.start()
    try:
        gateway.register("juliet")
        yield Topic(gateway)
    finally:
        gateway.stop()


PUBLISHED: list[tuple[list[str], dict[str, Any]]] = [
    (["-d", "Backup successful 😀"], {"message": "Backup successful 😀"}),
    (["-H", "Title: Unauthorized", "-H", "Priority: urgent", "-H", "Tags: warning,skull", "-d", "Act."], {"title": "Unauthorized", "priority": 5, "tags": ["warning", "skull"]}),
    (["-H", "X-Title: A", "-d", "m"], {"title": "A"}),
    (["-H", "t: A", "-d", "m"], {"title": "A"}),
    (["-H", "Title: =?UTF-8?B?8J+HqfCfh6o=?=", "-d", "m"], {"title": "🇩🇪"}),
    (["-H", "Title: Größe", "-d", "m"], {"title": "Größe"}),
    (["-H", "X-Priority: 5", "-d", "m"], {"priority": 5}),
    (["-H", "Priority: low", "-d", "m"], {"priority": 2}),
    (["-H", "p:4", "-d", "m"], {"priority": 4}),
    (["-H", "ta:dog", "-d", "m"], {"tags": ["dog"]}),
    (["-H", "Markdown: yes", "-d", "**bold**"], {"content_type": "text/markdown", "message": "**bold**"}),
    (["-H", "Click: https://e.example/", "-H", "Icon: https://e.example/i.png", "-d", "m"], {"click": "https://e.example/", "icon": "https://e.example/i.png"}),
    (["-X", "POST", "-H", "Attach: https://e.example/F.apk"], {"message": "triggered", "attachment": {"name": "F.apk", "url": "https://e.example/F.apk"}}),
    (["-X", "PUT", "-d", "m"], {"message": "m"}),
    (["-H", "Cache: no", "-H", "Firebase: no", "-d", "m"], {"message": "m"}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "members"), PUBLISHED)
def test_publishing(topic: Topic, arguments: list[str], members: dict[str, Any]) -> None:
    answer = topic.curl(*arguments)
    assert {name: answer[name] for name in members} == members
    assert answer["message"] in topic.last()


def test_a_file_as_the_message(topic: Topic, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("two\nlines\n")
    assert topic.curl("-T", str(tmp_path / "log.txt"))["message"] == "two\nlines"
    answer = topic.curl("-T", str(tmp_path / "log.txt"), "-H", "Filename: log.txt")
    assert (answer["message"], answer["attachment"]["name"]) == ("You received a file: log.txt", "log.txt")
    assert "/files/" in answer["attachment"]["url"]


def test_actions(topic: Topic) -> None:
    short = "view, Open portal, https://e.example/, clear=true; http, Turn down, https://api.e.example/, body='{\"temperature\": 65}'"
    first, second = topic.curl("-d", "Turn it down?", "-H", f"Actions: {short}")["actions"]
    assert (first["label"], first["url"], first["clear"]) == ("Open portal", "https://e.example/", True)
    assert (second["action"], second["body"]) == ("http", '{"temperature": 65}')
    assert "Open portal: https://e.example/" in topic.last()
    unquoted = 'http, Shut, https://e.example/, method=PUT, headers.Authorization=Bearer x.., body={"action": "close"}'
    (action,) = topic.curl("-d", "m", "-H", f"Actions: {unquoted}")["actions"]
    assert (action["method"], action["headers"], action["body"]) == ("PUT", {"Authorization": "Bearer x.."}, '{"action": "close"}')
    (action,) = topic.curl("-d", "m", "-H", "Actions: broadcast, Picture, extras.cmd=pic, extras.camera=front")["actions"]
    assert action["extras"] == {"cmd": "pic", "camera": "front"}


def test_json_at_the_prefix_and_at_the_root(topic: Topic) -> None:
    message = {
        "topic": topic.token, "message": "Disk space is low", "title": "Low disk space", "tags": ["warning", "cd"], "priority": 4,
        "attach": "https://e.example/space.jpg", "filename": "diskspace.jpg", "click": "https://e.example/",
        "actions": [{"action": "view", "label": "Admin panel", "url": "https://e.example/admin"}],
    }  # fmt: skip
    for place in ("/ntfy", "/ntfy/", "/", ""):
        answer = topic.curl("-d", json.dumps(message), at=topic.root + place)
        assert (answer["title"], answer["attachment"]["name"], answer["actions"][0]["label"]) == ("Low disk space", "diskspace.jpg", "Admin panel")
        assert topic.last().startswith("❗")


def test_webhooks_by_get(topic: Topic) -> None:
    assert topic.curl(at=f"{topic.url}/trigger")["message"] == "triggered"
    answer = topic.curl(at=f"{topic.url}/publish?message=Webhook+triggered&priority=high&tags=warning,skull")
    assert (answer["message"], answer["priority"], answer["tags"]) == ("Webhook triggered", 4, ["warning", "skull"])
    assert "Webhook triggered" in topic.last()


def test_delays(topic: Topic) -> None:
    for field in ("At: tomorrow, 10am", "In: 30min", f"Delay: {int(time.time()) + 600}", "X-Delay: 2 hours"):
        assert topic.curl("-H", field, "-d", "later")["time"] > time.time() + 500
    assert topic.curl("-H", "Delay: yesterday", "-d", "m")["code"] == 40004


def test_credentials(topic: Topic) -> None:
    name, admin = f"{topic.root}/ntfy/backups", f"admin@{GATEWAY}:{PASSWORD}"
    in_query = base64.urlsafe_b64encode(b"Basic " + base64.b64encode(admin.encode())).decode().rstrip("=")
    for arguments in (["-u", admin], ["-u", f":{topic.token}"], ["-u", f"{topic.token}:"], ["-H", f"Authorization: Bearer {topic.token}"]):
        assert topic.curl(*arguments, "-d", "m", at=name)["message"] == "m"
    assert topic.curl("-d", "m", at=f"{name}?auth={in_query}")["message"] == "m"
    assert topic.curl("-d", "m", at=name)["code"] == 40301
    assert topic.curl("-u", "admin:wrong", "-d", "m", at=name)["code"] == 40101
    assert topic.curl("-u", admin, at=f"{name}/auth") == {"success": True}
    assert topic.curl(at=f"{topic.root}/ntfy/v1/health") == {"healthy": True}


def test_polling(topic: Topic) -> None:
    first = topic.curl("-d", "first", "-H", "Tags: polled")
    topic.curl("-d", "second", "-H", "Tags: polled")
    lines = run(f"{topic.url}/json?poll=1&since=10m&tags=polled").splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["first", "second"]
    lines = run("-H", "Poll: 1", "-H", f"Since: {first['id']}", f"{topic.url}/json").splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["second"]


def test_listening(topic: Topic) -> None:
    """As a shell script listens: curl writes each line as it comes, whichever process was asked to publish it."""
    listening = subprocess.Popen(["curl", "-sN", "--max-time", "60", f"{topic.url}/json"], stdout=subprocess.PIPE)
    assert listening.stdout is not None
    try:
        assert json.loads(listening.stdout.readline())["event"] == "open"
        for number in range(4):
            topic.curl("-d", f"message {number}")
        assert [json.loads(listening.stdout.readline())["message"] for _ in range(4)] == [f"message {number}" for number in range(4)]
    finally:
        listening.terminate()
        listening.wait(30)
        listening.stdout.close()
