"""Real senders, unmodified, reach people through a hook, as the pages of docs/senders/ show it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import apprise
import pytest
from gotify import Gotify, GotifyError
from python_ntfy import NtfyClient
from slack_sdk.webhook import WebhookClient

from tests.clients.conftest import NURSE, Hosted
from tests.clients.pages import blocks
from tests.live.xmppserver import GATEWAY

pytestmark = [pytest.mark.live, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")]
NOBODY = "nobody@elsewhere.example"  # there is no link: refused for good


@pytest.fixture(scope="module")
def token(hosted: Hosted) -> str:
    return hosted.make("ops", rate=6000)


@pytest.fixture(scope="module")
def refused(hosted: Hosted) -> str:
    """The token of a hook whose recipient refuses."""
    return hosted.make("nobody", targets=[NOBODY])


def shown(hosted: Hosted, token: str, page: str, language: str) -> list[str]:
    return blocks(page, language, hosted.address, GATEWAY, token)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of a page, by a shell."""
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_curl(hosted: Hosted, token: str, tmp_path: Path) -> None:
    make, send, titled, later = shown(hosted, token, "curl.md", "sh")
    made = run(make, tmp_path)
    assert json.loads(made.stdout)["targets"] == [f"nurse@{GATEWAY}"], made.stderr
    for command in (send, titled):
        assert run(command, tmp_path).returncode == 0
    done, disks, backup = hosted.inbox()
    assert (done, backup) == ("The backup is done", "*Backup*\n41 GB in 12 minutes\nhttps://backup.example.net/log")
    assert re.search(r"%.*\n", disks)
    first, second = later.strip().splitlines()
    assert json.loads(run(first, tmp_path).stdout)["scheduled"]["id"].startswith("sch_")
    assert hosted.inbox() == []
    assert [run(second, tmp_path).returncode for _ in range(2)] == [0, 0]
    assert hosted.inbox() == ["The backup is done"]


def test_curl_fails_where_nobody_has_got_it(hosted: Hosted, refused: str, tmp_path: Path) -> None:
    assert run(f"curl -fsS http://{hosted.address}/hooks/{refused} -d x", tmp_path).returncode == 22


def test_slack_sdk(hosted: Hosted, token: str) -> None:
    (program,) = shown(hosted, token, "slack.md", "python")
    exec(compile(program, "slack.md", "exec"), {})
    assert hosted.inbox() == ["The deployment (https://example.net) is done"]
    client = WebhookClient(f"http://{hosted.address}/hooks/{token}")
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "*Build* 7 &lt; 8"}}
    assert client.send(text="a summary", blocks=[section, {"type": "divider"}]).body == "ok"
    assert client.send(attachments=[{"title": "web1", "title_link": "https://example.net/1", "text": "down", "fallback": "x"}]).body == "ok"
    blocks_said, attachment_said = hosted.inbox()
    assert blocks_said == "*Build* 7 < 8"
    assert attachment_said == "*web1* (https://example.net/1)\ndown"


def test_errors_as_slack_sdk_sees_them(hosted: Hosted, token: str, refused: str) -> None:
    nothing = WebhookClient(f"http://{hosted.address}/hooks/{token}").send_dict({"text": ""})
    assert (nothing.status_code, nothing.body) == (400, "no_text")
    nobody = WebhookClient(f"http://{hosted.address}/hooks/{refused}").send(text="x")
    assert (nobody.status_code, nobody.body) == (404, "channel_not_found")
    assert WebhookClient(f"http://{hosted.address}/hooks/hk_{'0' * 27}").send(text="x").status_code == 404


SAID = {
    "apprise": "⚠️ *Disk*\n93 % used", "json": "⚠️ *Disk*\n93 % used", "form": "*Disk*\n93 % used", "ntfy": "*Disk*\n93 % used",
    "gotify": "*Disk*\n93 % used", "mmost": "Apprise: Disk\n93 % used", "rocket": "Disk\n93 % used",
}  # fmt: skip
"""Scheme → what arrives. Mattermost and Rocket.Chat get title and text as one."""


def test_apprise(hosted: Hosted, token: str, refused: str) -> None:
    (urls,) = shown(hosted, token, "apprise.md", "text")
    assert {url.partition(":")[0] for url in urls.split()} == set(SAID)
    for url in urls.split():
        service = apprise.Apprise()
        assert service.add(url), url
        assert service.notify(title="Disk", body="93 % used", notify_type=apprise.NotifyType.WARNING), url
        assert hosted.inbox() == [SAID[url.partition(":")[0]]]
        nobody = apprise.Apprise()
        assert nobody.add(url.replace(token, refused))
        assert not nobody.notify(body="x"), f"{url}: success for what nobody has got"


def test_the_command_of_apprise(hosted: Hosted, token: str, tmp_path: Path) -> None:
    (command,) = shown(hosted, token, "apprise.md", "sh")
    done = run(command.replace("apprise ", f"{Path(sys.executable).parent}/apprise ", 1), tmp_path)
    assert done.returncode == 0, done.stderr
    assert hosted.inbox() == ["*Backup*\nThe backup is done"]


def test_a_client_of_gotify(hosted: Hosted, token: str, tmp_path: Path) -> None:
    (program,) = shown(hosted, token, "gotify.md", "python")
    exec(compile(program, "gotify.md", "exec"), {})
    (command,) = shown(hosted, token, "gotify.md", "sh")
    assert run(command, tmp_path).returncode == 0
    assert hosted.inbox() == ["*Backup*\nThe backup is done"] * 2
    with Gotify(base_url=f"http://{hosted.address}", app_token=token, client_token=token) as server:
        assert server.get_health()["health"] == server.get_health()["database"] == "green"
        assert set(server.get_version()) == {"version", "commit", "buildDate"}
    with Gotify(base_url=f"http://{hosted.address}", app_token="hk_" + "0" * 27) as stranger, pytest.raises(GotifyError):
        stranger.create_message("x")


def test_a_client_of_ntfy(hosted: Hosted, token: str) -> None:
    client: Any = NtfyClient(topic=token, server=f"http://{hosted.address}/ntfy")
    sent = client.send("93 % used", title="Disk", priority=NtfyClient.MessagePriority.HIGH, tags=["warning"])
    assert sent["event"] == "message"
    assert hosted.inbox() == ["❗ ⚠️ *Disk*\n93 % used"]
    assert sent["id"] in {message["id"] for message in client.get_cached_messages()}


def test_mod_post_msg(hosted: Hosted, token: str, tmp_path: Path) -> None:
    (command,) = shown(hosted, token, "post-msg.md", "sh")
    done = run(command.strip().replace(f"romeo@{GATEWAY}", NURSE) + " -w '%{http_code}'", tmp_path)
    assert done.stdout.strip() == "201", done.stderr
    assert hosted.inbox() == ["Hello"]
