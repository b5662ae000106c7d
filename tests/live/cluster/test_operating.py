"""Nodes are seen and steered by `xmpp-rest cluster`, /status, /readyz and /metrics, at whichever node (many-machines §13)."""

from __future__ import annotations

import json
import re
import threading

import urllib3

from tests.live.xmppserver import GATEWAY

from .machines import Machines, until
from .node import Node


def ran(node: Node, *words: str) -> str:
    """What a command prints that must succeed."""
    done = node.command_line(*words)
    assert done.returncode == 0, (words, done.stdout, done.stderr, node.tail())
    return done.stdout


def states(node: Node) -> dict[str, str]:
    return {each["node"]: each["state"] for each in node.cluster()["nodes"]}


def metrics(node: Node) -> dict[str, float]:
    """The samples of /metrics."""
    text = node.http.request("GET", "/metrics").data.decode()
    return {name: float(value) for name, value in re.findall(r"^(xmpp_rest_\S+) (\S+)$", text, re.MULTILINE)}


HARK = json.dumps({"to": f"romeo@{GATEWAY}", "body": "hark"})


class Sending:
    """Sends at these nodes in turn, one message after the other, until it is left."""

    def __init__(self, *nodes: Node) -> None:
        self._nodes = nodes
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers: list[tuple[str, int, str]] = []

    def __enter__(self) -> Sending:
        self._thread.start()
        until(lambda: len(self.answers) >= 4)
        return self

    def __exit__(self, *_: object) -> None:
        sent = len(self.answers)
        until(lambda: len(self.answers) >= sent + 4 or not self._thread.is_alive())
        self._ends.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._ends.is_set():
            for node in self._nodes:
                answer = node.request("POST", "/rest", HARK, "application/json", "romeo")
                self.answers.append((node.name, answer.status, answer.data.decode()))

    @property
    def refused(self) -> list[tuple[str, int, str]]:
        """The answers but 202."""
        return [answer for answer in self.answers if answer[1] != 202]


def open_stream(node: Node) -> urllib3.BaseHTTPResponse:
    headers = {**urllib3.util.make_headers(basic_auth=f"romeo@{GATEWAY}:a rose by any other name"), "Accept": "text/event-stream"}
    pool = urllib3.HTTPConnectionPool("127.0.0.1", node.port, retries=False, timeout=60)
    answer = pool.request("GET", "/rest/stream", headers=headers, preload_content=False)
    assert answer.status == 200
    return answer


def drain(owner: Node, other: Node) -> None:
    with open_stream(owner) as stream, Sending(owner, other) as sending:
        ran(owner, "cluster", "drain")
        assert stream.read(amt=None) is not None  # to its end
        answer = owner.http.request("GET", "/readyz")
        assert (answer.status, answer.json()["reasons"]) == (503, [{"check": "process", "reason": "draining"}])
        until(lambda: states(other) == {owner.name: "draining", other.name: "ready"})
    assert not sending.refused
    assert (owner.owns(), other.owns()) == (False, True)
    assert other.command_line("cluster", "move", GATEWAY, owner.name).returncode == 1


def test_each_node_tells_the_same(machines: Machines) -> None:
    owner = machines.owner()
    other = machines.other(owner)
    with open_stream(other):
        until(lambda: {each["node"]: each["streams"] for each in owner.cluster()["nodes"]}.get(other.name) == 1)
    for node in (owner, other):
        found = node.cluster()
        assert (found["kind"], found["node"], found["copies"], found["members"]) == ("postgresql", node.name, 2, 2)
        assert {(each["node"], each["here"]) for each in found["owners"]} == {(owner.name, node is owner)}
        assert states(node) == {"web1": "ready", "web2": "ready"}
        differ = {each["node"]: each["differs"] for each in found["nodes"]}
        assert differ == {owner.name: [], other.name: ["[link]"]}  # each has a way of its own to the server
        table = ran(node, "cluster")
        assert re.search(rf"^{owner.name} +ready .*{GATEWAY}.* \(epoch \d+\)", table, re.MULTILINE)
    assert f"cluster: node {other.name}, 2 of 2 nodes live" in ran(other, "status")
    assert owner.cluster()["owners"] == [{**each, "here": True} for each in other.cluster()["owners"]]


def test_each_node_has_metrics_of_its_own(machines: Machines) -> None:
    owner = machines.owner()
    other = machines.other(owner)
    assert other.request("POST", "/rest", HARK, "application/json", "romeo").status == 202
    own, others = metrics(owner), metrics(other)
    place = f'{{domain="{GATEWAY}"}}'
    assert (own[f"xmpp_rest_cluster_owner{place}"], others[f"xmpp_rest_cluster_owner{place}"]) == (1.0, 0.0)
    assert own[f"xmpp_rest_cluster_epoch{place}"] == others[f"xmpp_rest_cluster_epoch{place}"] >= 1.0
    assert own["xmpp_rest_cluster_nodes"] == others["xmpp_rest_cluster_nodes"] == 2.0
    assert own["xmpp_rest_processes"] == others["xmpp_rest_processes"] == 2.0
    assert others["xmpp_rest_cluster_call_seconds_count"] >= 1.0
    assert "xmpp_rest_cluster_journal_rows" in own
    for told in (own, others):
        assert [name for name in told if name.startswith("xmpp_rest_build_info")]


def test_commands_may_be_called_at_a_node_that_does_not_own(machines: Machines) -> None:
    node = machines.other(machines.owner())
    assert ran(node, "ctl", "list_cluster").split() == ["web1", "web2"]
    ran(node, "send", f"romeo@{GATEWAY}", "hark")
    token = ran(node, "token", f"romeo@{GATEWAY}").strip()
    for each in machines.nodes:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert each.http.request("POST", "/rest", body=HARK, headers=headers).status == 202


def test_a_domain_is_moved_while_messages_come_in(machines: Machines) -> None:
    owner = machines.owner()
    other = machines.other(owner)
    epoch = owner.cluster()["owners"][0]["epoch"]
    with Sending(owner, other) as sending:
        ran(other, "cluster", "move", GATEWAY, other.name)
        assert other.owns()
    assert not sending.refused
    machines.settle()
    assert other.cluster()["owners"][0]["epoch"] == epoch + 1
    assert other.command_line("cluster", "move", GATEWAY, "web3").returncode == 1


def test_a_node_is_drained_while_messages_come_in(machines: Machines) -> None:
    owner = machines.owner()
    other = machines.other(owner)
    try:
        drain(owner, other)
    finally:
        ran(owner, "cluster", "undrain")
    machines.settle()
    until(lambda: states(other) == {"web1": "ready", "web2": "ready"})


def test_a_node_that_is_gone_is_forgotten(machines: Machines) -> None:
    third = machines.add("web3")
    first = machines.nodes[0]
    machines.settle()
    until(lambda: states(first).get("web3") == "ready")
    assert first.command_line("cluster", "forget", "web3").returncode == 1
    third.kill()
    machines.remove(third)
    until(lambda: states(first).get("web3") == "silent")
    assert "web3" not in ran(first, "ctl", "list_cluster")
    ran(first, "cluster", "forget", "web3")
    until(lambda: "web3" not in states(first))


def test_a_node_with_other_settings_is_named(machines: Machines) -> None:
    third = machines.make("web3", {"auth": {"failures": 31}})
    third.start()
    machines.settle()
    until(lambda: {each["node"]: each["differs"] for each in machines.owner().cluster()["nodes"]}.get("web3") == ["[auth]", "[link]"])
    until(lambda: "differ from those of this one in [auth], [link]" in third.log())
    machines.remove(third)


def test_a_node_that_hosts_something_else_does_not_start(machines: Machines) -> None:
    third = machines.make("web4", {"gateway": {"rooms_domain": "lobby.example"}})
    try:
        done = third.command_line("run")
        assert (done.returncode, "[gateway] rooms_domain is lobby.example here" in done.stderr) == (78, True), done.stderr
        assert third.command_line("cluster").returncode == 69
    finally:
        third.close()
        machines.nodes.remove(third)
