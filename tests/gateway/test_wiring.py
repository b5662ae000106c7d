"""The wiring: parts that are complete once they are built, and nothing that is set from outside afterwards."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import DOMAIN, MakeApp
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.handlers import handlers
from xmpp_rest.gateway.wiring import build
from xmpp_rest.protocol.jid import parse_jid

ROOT = Path(__file__).parent.parent.parent
RECORDS = {  # files, as a pattern of paths below xmpp_rest → variables whose attributes are set there, and why
    "*": ({"element", "stanza", "field", "shown", "told", "letter", "parser", "parser.parser"}, "XML, and the parsers of it"),
    "http/*": ({"response", "headers", "self._response", "resource", "state", "state.resource", "request", "view", "Exact"}, "the state machine fills in its records"),
    "api/rest/idempotent.py": ({"self.response", "response"}, "a resource sets the status of its answer"),
    "api/commands/resource.py": ({"g"}, "what Flask keeps of a request"),
    "api/ntfy/publish.py": ({"request"}, "Flask answers for the page at / by the rule of the request"),
    "api/compression.py": ({"response"}, "an answer to HEAD whose length is not known"),
    "application.py": ({"app", "app.url_map"}, "Flask is set up so"),
    "cli/*": ({"line", "logger"}, "what argparse has read, and a logger"),
    "config/certificates.py": ({"context"}, "ssl takes the oldest version in no other way"),
    "config/ini_file.py": ({"last"}, "a line that goes on"),
    "importing/sql/sqlitefile.py": ({"self._connection"}, "sqlite3 has no other place for how bytes become text"),
    "link/component.py": ({"component.Dispatcher"}, "xmpppy has no other place for a parser"),
    "link/journal.py": ({"entry"}, "a record of the journal gets its number"),
    "link/c2s/dns_answers.py": ({"resolver"}, "dnspython has no other way"),
    "link/c2s/stream_header.py": ({"parser"}, "handlers of expat"),
    "link/c2s/tls.py": ({"context"}, "ssl has no other way"),
    "link/stream.py": ({"self._parser"}, "handlers of expat"),
    "processes/*": ({"self._procedures[BROADCAST]", "procedure", "follower"}, "records of their own"),
    "service/callbacks/worker.py": ({"attempts"}, "the state of a delivery"),
    "service/hooks/sandbox/*": ({"node"}, "the tree of a template is rewritten"),
    "service/messages/*": ({"message", "outcome", "self._frozen", "self._texts"}, "records, and what belongs to a thread"),
    "service/muc/*": ({"room", "occupant"}, "the state of a room, which is held meanwhile"),
    "service/rooms/*": ({"membership", "found", "attempt", "following", "queue"}, "the state of a membership, or of messages to a room, which is guarded by a lock"),
    "serving/*": ({"worker", "arbiter", "earlier", "self._earlier", "req"}, "what gunicorn hands to its hooks"),
    "serving/server_log.py": ({"self.error_log"}, "gunicorn has no other place for where its lines go"),
    "serving/wheel.py": ({"item"}, "the deadlines of its items"),
    "serving/connection.py": ({"self._socket"}, "whether TLS has read what was to be written, or the other way round"),
    "serving/exchange.py": ({"self._connection"}, "how long a client may take nothing of this answer"),
    "threads/*": ({"waiter", "timer", "task"}, "records of their own"),
}


def assignments(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every assignment to an attribute of anything but `self` and `cls`: what the attribute belongs to, and the line."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []
        for target in (inner for outer in targets for inner in ast.walk(outer)):
            if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store):
                owner = target.value
                made_here = isinstance(owner, ast.Call) and ast.unparse(owner.func) == "SubElement"
                if ast.unparse(owner) not in ("self", "cls") and not made_here:
                    yield ast.unparse(owner), target.lineno


def allowed(path: str) -> set[str]:
    return set().union(*(names for pattern, (names, _) in RECORDS.items() if fnmatch(path, pattern)))


def test_no_attribute_is_set_from_outside() -> None:
    """A service has all that it needs from its constructor. Records are filled in by those who own them."""
    root = ROOT / "xmpp_rest"
    paths = {str(path.relative_to(root)): path for path in root.rglob("*.py")}
    found = [
        f"{name}:{line}: {owner}"
        for name, path in paths.items()
        for owner, line in assignments(ast.parse(path.read_text(encoding="utf-8")))
        if owner not in allowed(name)
    ]
    assert not found
    assert not [pattern for pattern in RECORDS if not any(fnmatch(name, pattern) for name in paths)]


def test_such_an_assignment_is_found() -> None:
    late = "def wire(a, b):\n    a.on_change = b.handle\n    a.b.c, b.d = 1, 2\n    self.x = b\n    a.n += 1\n"
    assert sorted(assignments(ast.parse(late))) == [("a", 2), ("a", 5), ("a.b", 3), ("b", 3)]


def test_parts_cannot_be_exchanged(gateway: Gateway) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        gateway.parts.mailbox = gateway.parts.mailbox  # type: ignore[misc]


def test_building_twice_shares_nothing(gateway: Gateway) -> None:
    """As in a process that was forked off: what is done with one is not known to the other."""
    other = build(gateway.settings, gateway.driver, gateway.data_dir, gateway.incidents)
    for field in dataclasses.fields(other):
        assert getattr(other, field.name) is not getattr(gateway.parts, field.name), field.name
    with gateway.parts.waits.holding("juliet"):
        assert (gateway.parts.waits.count, other.waits.count) == (1, 0)
    juliet = parse_jid(f"juliet@{DOMAIN}")
    other.streams.open(juliet)
    assert (other.online.has_session(juliet), gateway.parts.online.has_session(juliet)) == (True, False)


def test_the_handlers_of_each_domain_are_asked_in_order(make_app: MakeApp) -> None:
    gateway: Gateway = make_app().extensions["gateway"]
    table = {
        domain: [getattr(handler, "__qualname__", "") for handler in ordered]
        for domain, ordered in handlers(gateway.parts, gateway.settings).items()
    }
    assert table == {
        DOMAIN: [
            "RoomStanzas.handle",            "HookRooms.handle",
            "Callbacks.handle_bot",
            "HooksAddress.handle",
            "Guard.handle",
            "Contacts.handle",
            "PrivacyQueries.handle",
            "BlockingQueries.handle",
            "RosterQueries.handle",
            "ArchiveQueries.handle",
            "VCardQueries.handle",
            "Mailbox.handle",
            "UploadService.handle",
            "Callbacks.handle_domain",
            "UploadService.handle_discovery",
        ],
        f"muclight.{DOMAIN}": ["MucLightEntity.handle", "Callbacks.handle_bot", "Callbacks.handle_domain", "Entity.handle"],
        f"conference.{DOMAIN}": ["MucEntity.handle", "Callbacks.handle_bot", "Callbacks.handle_domain", "Entity.handle"],
    }
    for domain, ordered in handlers(gateway.parts, gateway.settings).items():
        assert len(gateway.parts.router._handlers[domain]) == len(ordered), "the router asks these and no others"


def test_without_rooms_there_are_no_handlers_of_rooms(make_app: MakeApp) -> None:
    app: Flask = make_app(gateway_rooms_domain="", gateway_conference_domain="")
    gateway: Gateway = app.extensions["gateway"]
    assert list(handlers(gateway.parts, gateway.settings)) == [DOMAIN]
