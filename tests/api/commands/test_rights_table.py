"""The rules of wsgi.ini over HTTP, and mistakes in them (commands-api §5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DOMAIN, MakeApp, basic, register_users
from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.load import SettingsError, load_settings


def statuses(make_app: MakeApp, path: str, **rule: str) -> dict[str, int]:
    """The status of a call by everybody under one rule."""
    app = register_users(make_app(**{f"rights_open_{key}": value for key, value in rule.items()}))
    client = app.test_client()
    callers = {"anonymous": {}, "juliet": basic(f"juliet@{DOMAIN}"), "admin": basic(f"admin@{DOMAIN}")}
    return {who: client.post(f"/api/{path}", data="{}", headers=headers).status_code for who, headers in callers.items()}


@pytest.mark.parametrize(
    ("rule", "anonymous", "juliet"),
    [
        ({"who": "127.0.0.1, ::1", "what": "status, connected_users_number"}, 200, 200),
        ({"who": "203.0.113.0/24", "what": "status"}, 403, 403),
        ({"who": "account", "what": "[tag:server]"}, 403, 200),
        ({"who": "account", "what": "*, !status"}, 403, 403),
        ({"who": f"JULIET@{DOMAIN}", "what": "status"}, 403, 200),
        ({"who": "*@<domain>", "what": "status"}, 403, 200),
        ({"who": "anonymous", "what": "status"}, 200, 403),
        ({"who": "all", "what": "status", "from": "ctl"}, 403, 403),
        ({"who": "all", "what": "status", "from": "api, ctl"}, 200, 200),
        ({"who": "all", "what": "status", "scopes": "status"}, 403, 403),
    ],
)
def test_rules(make_app: MakeApp, rule: dict[str, str], anonymous: int, juliet: int) -> None:
    assert statuses(make_app, "status", **rule) == {"anonymous": anonymous, "juliet": juliet, "admin": 200}


def test_the_rule_of_administrators_can_be_replaced(make_app: MakeApp) -> None:
    client = make_app(rights_administrators_what="status").test_client()
    answers = [client.post(f"/api/{name}", data="{}", headers=basic(f"admin@{DOMAIN}")).status_code for name in ("status", "registered_vhosts")]
    assert answers == [200, 403]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[rights.x]\nwho = all", "[rights.x] what: is missing"),
        ("[rights.x]\nwhat = status\nwho = everybody", "everybody: write admin, account, anonymous, all"),
        ("[rights.x]\nwhat = status\nwho = 127.0.0.1/8", "127.0.0.1/8"),
        ("[rights.x]\nwhat = tag:x", "tag:x: write names of commands"),
        ("[rights.x]\nwhat = status\nfrom = web", "web: write api, ctl"),
        ("[rights.x]\nwhat = stauts", "stauts: there is no such command or tag"),
        ("[rights.x]\nwhat = [tag:stauts]", "[tag:stauts]: there is no such command or tag"),
        ("[rights.x]\nwhat = status\nscopes = a b!", "b!: write scopes"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "wsgi.ini").write_text(text)
    with pytest.raises(SettingsError, match="rights") as caught:
        require_sense(load_settings(tmp_path / "wsgi.ini", {}), registry())
    assert says in str(caught.value)
