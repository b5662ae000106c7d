"""Prometheus scrapes a gateway of two processes, and runs its rules and the queries of its dashboard."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.live.child import LOOPBACK, Child, answers, free_port
from tests.metrics.two_workers import TwoWorkers
from xmpp_rest.metrics.families import TABLE

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "xmpp-rest.rules.yml"
RULES_TEST = DEPLOY / "prometheus" / "xmpp-rest.rules.test.yml"
DASHBOARD = DEPLOY / "grafana" / "xmpp-rest.json"
PAGE = DEPLOY.parent / "docs" / "metrics.md"
ALERTS = (
    "XmppRestDown", "XmppRestLinkDown", "XmppRestNoOwner", "XmppRestOutboxFilling", "XmppRestErrors", "XmppRestDeadLetters",
    "XmppRestHookRefused", "XmppRestWrongPasswords", "XmppRestStorageErrors", "XmppRestSlow",
)  # fmt: skip
CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: xmpp-rest
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus(Child):
    """A server that scrapes one gateway."""

    def __init__(self, program: str, folder: Path, target: int) -> None:
        super().__init__(folder)
        self.program, self.port = program, free_port()
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(rules=RULES, port=target))

    def command(self) -> list[str]:
        files = [f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb"]
        return [self.program, *files, f"--web.listen-address={LOOPBACK}:{self.port}"]

    def ready(self) -> bool:
        try:
            return answers(self.port) and urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/-/ready", timeout=5).status == 200
        except OSError:  # it says 503 at first, which is one
            return False

    def ask(self, path: str, **query: str) -> Any:
        """What its API says."""
        url = f"http://{LOOPBACK}:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]

    def wait_for(self, query: str) -> list[dict[str, Any]]:
        """The result of this query, once there is any."""
        until = time.monotonic() + 60
        while not (found := self.ask("query", query=query)["result"]):
            assert time.monotonic() < until, (query, self.ask("targets"))
            time.sleep(0.1)
        result: list[dict[str, Any]] = found
        return result


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorkers]:
    server = TwoWorkers(tmp_path_factory.mktemp("two"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def prometheus(prometheus_program: str, gateway: TwoWorkers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = Prometheus(prometheus_program, tmp_path_factory.mktemp("prometheus"), gateway.port)
    server.start()
    yield server
    server.stop()


def expressions() -> list[str]:
    """The queries of the dashboard, for every job and instance."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    return [expr.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*") for expr in found]


def samples() -> set[str]:
    """The names of all samples that there may be."""
    ends = {"histogram": ("_bucket", "_count", "_sum")}
    return {family.full_name + end for family in TABLE for end in ends.get(family.type, ("",))}


def test_rules(promtool: str) -> None:
    check = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False, timeout=60)
    assert (check.returncode, f"{len(ALERTS)} rules found" in check.stdout) == (0, True), check.stdout + check.stderr
    tests = subprocess.run([promtool, "test", "rules", RULES_TEST], capture_output=True, text=True, check=False, timeout=60)
    assert tests.returncode == 0, tests.stdout + tests.stderr


def test_each_alert_is_explained_and_tested() -> None:
    text, tested = RULES.read_text(encoding="utf-8"), RULES_TEST.read_text(encoding="utf-8")
    rules = {body.partition("\n")[0]: body for body in text.split("- alert: ")[1:]}
    assert tuple(rules) == ALERTS
    page = PAGE.read_text(encoding="utf-8")
    for name, body in rules.items():
        assert f"\n### {name}\n" in page
        assert re.search(rf'runbook_url: "https://\S+/docs/metrics\.md#{name.lower()}"', body), name
        assert re.search(r"severity: (critical|warning)", body), name
        assert "summary: " in body
        assert tested.count(f"name: {name} fires") >= 1 <= tested.count(f"name: {name} stays silent"), name


def test_rules_and_dashboard_name_metrics_that_exist() -> None:
    queries = [*expressions(), *re.findall(r"(?<=expr: ).*|^ {10}.*", RULES.read_text(encoding="utf-8"), re.MULTILINE)]
    named = {name for query in queries for name in re.findall(r"\b(?:xmpp_rest|process)_\w+", query)}
    assert len(named) > 25
    assert named <= samples()


def test_dashboard() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert dashboard["uid"] == "xmpp-rest"
    assert [v["type"] for v in dashboard["templating"]["list"] if v["name"] == "datasource"] == ["datasource"]
    assert len(dashboard["panels"]) >= 10
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}


def test_the_gateway_is_scraped(prometheus: Prometheus, gateway: TwoWorkers) -> None:
    (up,) = prometheus.wait_for("up == 1")
    assert up["metric"]["job"] == "xmpp-rest"
    (processes,) = prometheus.wait_for("xmpp_rest_processes == 2")
    assert processes["value"][1] == "2"
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    scraped = set(prometheus.ask("label/__name__/values"))
    without_sections = ("_callback", "_cluster", "_hook", "_link", "_logins_total", "_rest_sessions")
    assert {name for name in samples() if not any(part in name for part in without_sections)} <= scraped


def test_prometheus_runs_the_rules(prometheus: Prometheus) -> None:
    prometheus.wait_for("up == 1")
    wanted = [(name, "ok", "inactive") for name in ALERTS]  # XmppRestDown is pending at first, until a scrape has been seen
    until = time.monotonic() + 60
    while (found := [(r["name"], r["health"], r["state"]) for r in prometheus.ask("rules")["groups"][0]["rules"]]) != wanted:
        assert time.monotonic() < until, found
        time.sleep(0.1)


def test_prometheus_understands_the_dashboard(prometheus: Prometheus) -> None:
    prometheus.wait_for("xmpp_rest_build_info")
    for query in expressions():
        assert prometheus.ask("query", query=query)["resultType"] == "vector", query
    variables = json.loads(DASHBOARD.read_text(encoding="utf-8"))["templating"]["list"]
    assert {v["definition"].split("(")[1].partition("{")[0].partition(",")[0] for v in variables if v["type"] == "query"} == {"xmpp_rest_build_info"}


def test_promtool_has_nothing_to_say(promtool: str, gateway: TwoWorkers) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read()
    connection.close()
    found = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False, timeout=30)
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")
