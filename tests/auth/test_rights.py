"""Rules, and the commands that they open (commands-api §5)."""

from __future__ import annotations

import pytest

from xmpp_rest.auth.rights import COMMAND_LINE, HTTP, Permission, Principal, Rights, Rule, with_defaults
from xmpp_rest.protocol.jid import parse_jid

HERE, THERE = "capulet.example", "montague.example"
ADMIN = Principal(parse_jid(f"admin@{HERE}"), admin=True)
ORDINARY = Principal(parse_jid(f"juliet@{HERE}"))
NOBODY = Principal()
TOKEN = frozenset(("ejabberd:admin",))
LIST = Permission("registered_users", ("accounts",), HERE)
STATUS = Permission("status", ("server",))


@pytest.mark.parametrize(
    ("principal", "asked", "allowed"),
    [
        (ADMIN, LIST, True),
        (ADMIN, STATUS, True),
        (ADMIN, LIST._replace(host=HERE.upper()), True),
        (ADMIN, LIST._replace(host=THERE), False),
        (ADMIN, LIST._replace(host=""), False),
        (ADMIN, Permission("stop", ()), False),
        (ADMIN, Permission("start", ()), False),
        (ORDINARY, STATUS, False),
        (NOBODY, STATUS, False),
        (ADMIN._replace(scopes=TOKEN), LIST, True),
        (ADMIN._replace(scopes=frozenset()), LIST, False),
        (ADMIN._replace(scopes=frozenset(("registered_users",))), LIST, False),
        (ORDINARY._replace(scopes=TOKEN), STATUS, False),
    ],
)
def test_the_default(principal: Principal, asked: Permission, allowed: bool) -> None:
    assert Rights(HERE).allow(principal, asked, HTTP) is allowed


OPEN = Rule("open", ("all",), ("status", "[tag:accounts]", "!register"))


@pytest.mark.parametrize(
    ("rule", "principal", "asked", "front_end", "allowed"),
    [
        (OPEN, NOBODY, STATUS, HTTP, True),
        (OPEN, ORDINARY, STATUS, HTTP, True),
        (OPEN, NOBODY, LIST, HTTP, True),
        (OPEN, ORDINARY, LIST, HTTP, False),  # an account never runs what names a host unless it administers it
        (OPEN, NOBODY, Permission("register", ("accounts",)), HTTP, False),
        (OPEN, NOBODY, Permission("stats", ("statistics",)), HTTP, False),
        (OPEN, ORDINARY._replace(scopes=TOKEN), STATUS, HTTP, False),
        (Rule("x", ("account",), ("*",)), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("account",), ("*",)), ORDINARY, STATUS, HTTP, True),
        (Rule("x", ("all",), ()), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("all",), ("!status", "*")), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("all",), ("!status",)), NOBODY, LIST, HTTP, False),
        (Rule("x", ("all",), ("*",), (COMMAND_LINE,)), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("anonymous",), ("*",)), NOBODY, STATUS, HTTP, True),
        (Rule("x", ("anonymous",), ("*",)), ORDINARY, STATUS, HTTP, False),
        (Rule("x", (f"juliet@{HERE}",), ("*",)), ORDINARY, STATUS, HTTP, True),
        (Rule("x", (f"*@{HERE.upper()}",), ("*",)), ORDINARY, STATUS, HTTP, True),
        (Rule("x", (f"romeo@{HERE}",), ("*",)), ORDINARY, STATUS, HTTP, False),
        (Rule("x", (f"*@{HERE}",), ("*",)), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("192.0.2.0/24",), ("*",)), NOBODY._replace(address="192.0.2.7"), STATUS, HTTP, True),
        (Rule("x", ("192.0.2.0/24",), ("*",)), NOBODY._replace(address="::ffff:192.0.2.7"), STATUS, HTTP, True),
        (Rule("x", ("192.0.2.0/24",), ("*",)), NOBODY._replace(address="192.0.3.7"), STATUS, HTTP, False),
        (Rule("x", ("192.0.2.0/24",), ("*",)), NOBODY._replace(address=""), STATUS, HTTP, False),
        (Rule("x", ("2001:db8::/32", "127.0.0.1"), ("*",)), ORDINARY._replace(address="2001:db8::1"), STATUS, HTTP, True),
        (Rule("x", ("192.0.2.0/24",), ("*",)), ORDINARY._replace(address="192.0.2.7", scopes=TOKEN), STATUS, HTTP, False),
        (Rule("x", ("all",), ("*",), (), frozenset(("status",))), ORDINARY._replace(scopes=frozenset(("status",))), STATUS, HTTP, True),
        (Rule("x", ("all",), ("*",), (), frozenset(("status",))), ORDINARY._replace(scopes=frozenset(("stats",))), STATUS, HTTP, False),
        (Rule("x", ("admin",), ("*",), (), frozenset(("status",))), ORDINARY._replace(scopes=frozenset(("status",))), STATUS, HTTP, False),
        (Rule("x", ("all",), ("*",), (), frozenset(("status",))), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("all",), ("*",), (), frozenset(("get_roster",))), ORDINARY._replace(scopes=frozenset(("get_roster",))), LIST, HTTP, False),
        (Rule("x", ("all",), ("*",), (COMMAND_LINE,)), NOBODY, STATUS, COMMAND_LINE, True),
    ],
)
def test_rules(rule: Rule, principal: Principal, asked: Permission, front_end: str, allowed: bool) -> None:
    assert Rights(HERE, with_defaults([rule])).allow(principal, asked, front_end) is allowed


def test_a_rule_in_place_of_a_default() -> None:
    rights = Rights(HERE, with_defaults([Rule("administrators", ("admin",), ("status",))]))
    assert rights.allow(ADMIN, STATUS, HTTP)
    assert not rights.allow(ADMIN, LIST, HTTP)


@pytest.mark.parametrize(("principal", "asked"), [(NOBODY, LIST._replace(host=THERE)), (NOBODY, Permission("stop", ())), (ORDINARY, STATUS), (ADMIN, LIST)])
def test_the_command_line_may_everything(principal: Principal, asked: Permission) -> None:
    assert Rights(HERE).allow(principal, asked, COMMAND_LINE)


def test_an_account_at_the_command_line_administers_nothing() -> None:
    assert not Rights(HERE).allow(ORDINARY, LIST, COMMAND_LINE)
