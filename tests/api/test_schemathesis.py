"""Requests that Schemathesis makes up from the descriptions, good and bad ones: each is answered as the descriptions say, and none with 5xx."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.client.served import Served, serve
from tests.conftest import basic
from xmpp_rest.api.commands.operations import ANSWERED_500

ST = Path(sys.executable).with_name("st")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
OF_STATUS = "not_a_server_error,status_code_conformance"
STREAMS = ("restStream",)  # which do not end
SENDING = ("restSend", "restSendTo")
"""Of these a 202 has a body only where the message waits or goes to several, which OpenAPI cannot say; tests/api holds both against their schemas."""
DIALECTS = ("rooms", "rest", "data", "commands", "oauth", "ops")  # client/test_openapi.py asks more of the operations of the client API, by the same table
EXAMPLES = {"commands": "1"}  # made up for each operation, besides those of the description; there are 145 of them
LIMITS = ("--seed", "1", "--request-timeout", "20", "--generation-database", "none", "--continue-on-failure", "--warnings", "off")
CONFIG = f"""
[[operations]]
include-operation-id = {[f"command_{name}" for name in ANSWERED_500]}
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 500]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway at the domain of the examples, with the accounts that they name."""
    folder = tmp_path_factory.mktemp("described") / "data"
    with serve(folder, gateway_domain="localhost", server_log_level="error", auth_failures="100000") as served:
        yield served


def ask(server: Served, name: str, folder: Path, checks: str, *options: str) -> None:
    """Have requests made up for operations of this description, and judged."""
    url = f"http://127.0.0.1:{server.port}/openapi/{name}.json"
    credentials = f"Authorization: {basic('admin@localhost')['Authorization']}"
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG, "utf-8")
    command = [str(ST), "--config-file", str(config), "run", url, *options, "--checks", checks, "--max-examples", EXAMPLES.get(name, "5"), *LIMITS, "-H", credentials]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=480)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "Test cases" in done.stdout


@pytest.mark.timeout(500)
@pytest.mark.parametrize("name", DIALECTS)
def test_schemathesis_finds_nothing(server: Served, name: str, tmp_path: Path) -> None:
    left = [word for operation in (*STREAMS, *SENDING) if operation.startswith(name) for word in ("--exclude-operation-id", operation)]
    ask(server, name, tmp_path, CHECKS, *left)


@pytest.mark.timeout(500)
def test_sending(server: Served, tmp_path: Path) -> None:
    ask(server, "rest", tmp_path, OF_STATUS, *(word for operation in SENDING for word in ("--include-operation-id", operation)))
