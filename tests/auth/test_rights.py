"""Which rule opens which command to whom? (spec commands-api §5)"""

from __future__ import annotations

import pytest

from xmpp_rest.auth.rights import ADMINISTRATORS, COMMAND_LINE, HTTP, Asked, Asker, Rights, Rule
from xmpp_rest.protocol.jid import parse_jid

HERE, THERE = "capulet.example", "montague.example"
ADMIN = Asker(parse_jid(f"admin@{HERE}"), admin=True)
ORDINARY = Asker(parse_jid(f"juliet@{HERE}"))
NOBODY = Asker()
TOKEN = frozenset(("ejabberd:admin",))
LIST = Asked("registered_users", ("accounts",), HERE)
STATUS = Asked("status", ("server",))


@pytest.mark.parametrize(
    ("asker", "asked", "allowed"),
    [
        (ADMIN, LIST, True),
        (ADMIN, STATUS, True),
        (ADMIN, LIST._replace(host=HERE.upper()), True),
        (ADMIN, LIST._replace(host=THERE), False),
        (ADMIN, LIST._replace(host=""), False),
        (ADMIN, Asked("stop", ()), False),
        (ADMIN, Asked("start", ()), False),
        (ORDINARY, STATUS, False),
        (NOBODY, STATUS, False),
        (ADMIN._replace(scopes=TOKEN), LIST, True),
        (ADMIN._replace(scopes=frozenset()), LIST, False),
        (ADMIN._replace(scopes=frozenset(("registered_users",))), LIST, False),
        (ORDINARY._replace(scopes=TOKEN), STATUS, False),
    ],
)
def test_the_default(asker: Asker, asked: Asked, allowed: bool) -> None:
    assert Rights(HERE).allow(asker, asked, HTTP) is allowed


OPEN = Rule("open", ("all",), ("status", "[tag:accounts]", "!register"))


@pytest.mark.parametrize(
    ("rule", "asker", "asked", "front_end", "allowed"),
    [
        (OPEN, NOBODY, STATUS, HTTP, True),
        (OPEN, ORDINARY, STATUS, HTTP, True),
        (OPEN, NOBODY, LIST, HTTP, True),
        (OPEN, ORDINARY, LIST, HTTP, False),  # an account never runs what names a host unless it administers it
        (OPEN, NOBODY, Asked("register", ("accounts",)), HTTP, False),
        (OPEN, NOBODY, Asked("stats", ("statistics",)), HTTP, False),
        (OPEN, ORDINARY._replace(scopes=TOKEN), STATUS, HTTP, False),
        (Rule("x", ("account",), ("*",)), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("account",), ("*",)), ORDINARY, STATUS, HTTP, True),
        (Rule("x", ("all",), ()), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("all",), ("!status", "*")), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("all",), ("!status",)), NOBODY, LIST, HTTP, False),
        (Rule("x", ("all",), ("*",), (COMMAND_LINE,)), NOBODY, STATUS, HTTP, False),
        (Rule("x", ("all",), ("*",), (COMMAND_LINE,)), NOBODY, STATUS, COMMAND_LINE, True),
    ],
)
def test_rules(rule: Rule, asker: Asker, asked: Asked, front_end: str, allowed: bool) -> None:
    assert Rights(HERE, [ADMINISTRATORS, rule]).allow(asker, asked, front_end) is allowed
