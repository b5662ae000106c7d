"""The requests that are repeated with credentials of the same account: at the gateway as a foreign and as a hosted one, and at mod_rest."""

from __future__ import annotations

from collections.abc import Mapping

from bench.foreign.stage import DOMAINS, ForeignStage, basic, foreign, hosted
from bench.load import CONNECTIONS, Measured, Target, hammer
from bench.scenarios import CHAT, ECHO, JSON, PING, XML
from tests.live.tls_servers import FOREIGN
from tests.live.xmppserver import PASSWORD

MESSAGE, IQ, ECHOED = "message", "iq ping", "JSON echo"
_POSTED = {MESSAGE: ("/rest", CHAT, XML), IQ: ("/rest", PING.format(FOREIGN), XML), ECHOED: ("/rest/echo", ECHO, JSON)}
REPEATED = tuple((name, connections) for name in _POSTED for connections in (1, CONNECTIONS))
"""What is repeated, over how many connections. An echo is what credentials cost: nothing is sent."""


def post(port: int, name: str, who: Mapping[str, str]) -> Target:
    """Where this is posted, with these credentials."""
    path, body, kind = _POSTED[name]
    return Target(port, "POST", path, body, {**who, "Content-Type": kind})


def of_foreign(stage: ForeignStage, gateway: str, name: str, connections: int, seconds: float) -> Measured:
    """At the gateway, with an account of the other server, whose session is kept."""
    return hammer(post(stage.gateways[gateway].port, name, foreign("romeo")), stage.pids(gateway), seconds, connections)


def of_hosted(stage: ForeignStage, gateway: str, name: str, connections: int, seconds: float) -> Measured:
    """At the gateway, with one of its own accounts."""
    return hammer(post(stage.gateways[gateway].port, name, hosted(DOMAINS[gateway])), stage.pids(gateway), seconds, connections)


def at_mod_rest(stage: ForeignStage, name: str, connections: int, seconds: float) -> Measured:
    """At the module of the other server, with an account of that; a name has no domain there."""
    return hammer(post(stage.server.http_port, name, basic("romeo", PASSWORD)), stage.pids(), seconds, connections)
