"""docs/rest.md is correct, as far as it can be tested."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from standardwebhooks.webhooks import Webhook

from tests.botapp import MakeBot, eventually
from tests.conftest import DOMAIN, basic
from tests.service.callbacks.bot import running
from tests.webservice import Service

PAGE = (Path(__file__).parents[3] / "docs/rest.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_batch(client: FlaskClient) -> None:
    body, shown = blocks("ndjson")
    response = client.post("/rest", data=body, headers={"Content-Type": "application/x-ndjson"} | basic("juliet"))
    answers: list[dict[str, Any]] = [json.loads(line) for line in response.data.splitlines()]
    for answer in answers:
        for varying in ("instance_id", "context"):
            answer.get("error", {}).pop(varying, None)
    assert answers == [json.loads(line) for line in shown.splitlines()]


def test_the_bot(make_bot: MakeBot) -> None:
    code = next(block for block in blocks("python") if "Flask" in block)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/rest.md", "exec"), names)
    with running(names["app"]) as url:
        app = make_bot(url, content_type="xml")
        app.post(body="Good morrow", type="chat")
        eventually(lambda: app.bodies()[1:] == [f"juliet@{DOMAIN} said Good morrow"])


def test_the_signature(make_bot: MakeBot, service: Service) -> None:
    found = re.search(r'whsec_[A-Za-z0-9+/=]+(?=")', PAGE)
    assert found is not None
    assert base64.b64decode(found[0].removeprefix("whsec_"))
    make_bot(service.url("/"), secret=found[0]).post(body="x")
    request = service.wait(lambda _: True)
    assert Webhook(found[0]).verify(request.body, dict(request.headers))["body"] == "x"
