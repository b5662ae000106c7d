"""Archiving a message in a storage of files reads nothing of the recipient's archive, however long it is."""

from __future__ import annotations

import pytest

from drivers.files import archive
from tests.conftest import DOMAIN, TOKEN, MakeApp, basic
from tests.raising import raising
from xmpp_rest.protocol.jid import parse_jid


@pytest.mark.parametrize("kind", ["flatfile", "jsonfile"])
def test_nothing_is_read(make_app: MakeApp, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(storage_url=f"{kind}:files")
    client, gateway = app.test_client(), app.extensions["gateway"]
    for name in ("juliet", "nurse"):
        gateway.parts.accounts.register(parse_jid(f"{name}@{DOMAIN}"), "R0m30-forever")
    juliet = basic(f"juliet@{DOMAIN}")
    message = {"to": f"nurse@{DOMAIN}", "body": "Anon, good nurse!"}
    assert client.post("/api/messages", headers=juliet, json=message).status_code == 200  # until then there is no archive
    with monkeypatch.context() as patched:
        patched.setattr(archive, "heads", raising(AssertionError("the archive was read")))
        assert client.post("/api/messages", headers=juliet, json=message).status_code == 200
        rest = {"kind": "message", "type": "chat", "from": f"juliet@{DOMAIN}", **message}
        assert client.post("/rest", headers={"Authorization": TOKEN}, json=rest).status_code == 202
    for owner in ("juliet", "nurse"):
        assert gateway.driver.archive_count(owner, DOMAIN, "archive") == 3
