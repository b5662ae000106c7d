"""How long files are kept, what they count for, and what is told of them (files §1, §6)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.files.slots import JULIET, asked, path_of, request, slot, stored
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from xmpp_rest.errors import Unanswered
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.on_leader import offers_of
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.quotas import FileQuotas, Full
from xmpp_rest.service.files.refused import FileRefused

ADMIN = basic(f"admin@{DOMAIN}")


def kept(gateway: Gateway) -> list[str]:
    return sorted(path.name for path in (gateway.data_dir / "files").rglob("*") if path.is_file())


def prune(gateway: Gateway) -> None:
    gateway.parts.leader._files.prune()


def test_pruning_removes_what_is_over(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: now - 604801)
        old = stored(gateway, b"old")
        slot(gateway, 10)
    new = stored(gateway, b"newer")
    assert f"{old.id}.json" in kept(gateway)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 5
    prune(gateway)
    assert kept(gateway) == [new.id, f"{new.id}.json"]
    assert gateway.parts.files.figures() == {"own": True, "service": DOMAIN, "reason": None, "count": 1, "used": 5}


def test_pruning_counts_what_nobody_told_of(gateway: Gateway, tmp_path: Path) -> None:
    file = stored(gateway, b"rose")
    gateway.parts.files.quotas.gone(file.id)  # as if the process had been killed before it told
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0
    prune(gateway)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 4
    gateway.parts.files.store.delete(file.id)  # by another one
    prune(gateway)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0


def test_a_file_that_never_goes(make_app: MakeApp) -> None:
    app = register_users(make_app(files_expire="0"))
    gateway: Gateway = app.extensions["gateway"]
    file = stored(gateway, b"x")
    assert file.expires is None
    assert app.test_client().get(path_of(gateway, file)).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    prune(gateway)
    assert gateway.parts.files.get(file.id) == file


def test_removing_an_account_removes_its_files(client: FlaskClient, gateway: Gateway) -> None:
    mine, other = stored(gateway, b"x"), stored(gateway, b"x", owner=f"nurse@{DOMAIN}")
    path, fields = slot(gateway, 4)
    answer = client.post("/api/unregister", json={"user": "juliet", "host": DOMAIN}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    assert client.get(path_of(gateway, mine)).status_code == 404
    assert client.put(path, data=b"rose", headers=fields).status_code in (404, 409)
    assert client.get(path_of(gateway, other)).status_code == 200
    assert kept(gateway) == [other.id, f"{other.id}.json"]
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0


def test_quotas_say_what_is_used_and_when_there_is_room(make_app: MakeApp) -> None:
    gateway: Gateway = register_users(make_app(files_quota="10", files_max_size="8", files_expire="60")).extensions["gateway"]
    juliet, nurse = parse_jid(JULIET), parse_jid(f"nurse@{DOMAIN}")
    stored(gateway, b"12345678")
    with pytest.raises(FileRefused, match="8 of the 10 bytes") as refused:
        gateway.parts.files.require_room(juliet, 3)
    assert (refused.value.status, refused.value.retry_after) in ((429, 60), (429, 59))
    gateway.parts.files.require_room(juliet, 2)
    gateway.parts.files.require_room(nurse, 8)
    with pytest.raises(FileRefused) as refused:
        gateway.parts.files.require_room(nurse, 9)
    assert (refused.value.status, refused.value.members) == (413, {"max_size": 8})


def test_an_upload_whose_length_nobody_knows_is_counted_as_it_grows(make_app: MakeApp) -> None:
    gateway: Gateway = register_users(make_app(files_quota="12", files_max_size="8")).extensions["gateway"]
    juliet = parse_jid(JULIET)
    with gateway.parts.files.begin(juliet, "x") as upload:
        upload.write(b"1234")
        with pytest.raises(FileRefused) as refused:
            upload.write(b"12345")
        assert refused.value.status == 413
    assert (gateway.parts.files.used(juliet), kept(gateway)) == (0, [])
    stored(gateway, b"12345")
    with gateway.parts.files.begin(juliet, "x") as upload, pytest.raises(FileRefused) as refused:
        upload.write(b"12345678")
    assert refused.value.status == 429
    assert gateway.parts.files.used(juliet) == 5


def test_an_account_that_is_at_its_quota_can_delete(gateway: Gateway) -> None:
    juliet = parse_jid(JULIET)
    files = [stored(gateway, b"x" * n) for n in (1, 2, 3)]
    assert gateway.parts.files.of(juliet) == files[::-1]
    assert gateway.parts.files.delete(files[1].id)
    assert not gateway.parts.files.delete(files[1].id)
    assert gateway.parts.files.of(juliet) == [files[2], files[0]]
    assert gateway.parts.files.used(juliet) == 4


def test_the_status_tells_of_files(client: FlaskClient, gateway: Gateway) -> None:
    stored(gateway, b"rose")
    assert client.get("/status", headers=ADMIN).get_json()["files"] == {
        "own": True, "service": DOMAIN, "reason": None, "count": 1, "used": 4,
    }  # fmt: skip


def test_settings_that_change_while_it_runs(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    files = dataclasses.replace(gateway.settings.files, max_size=3, inline=())
    gateway.parts.files.configure(dataclasses.replace(gateway.settings, files=files))
    with pytest.raises(FileRefused):
        stored(gateway, b"1234")
    assert not gateway.parts.files.is_inline("image/png")


def test_a_folder_that_cannot_be_written(client: FlaskClient, gateway: Gateway) -> None:
    """It is a file: root may write everywhere, so that rights prove nothing."""
    (gateway.data_dir / "files").write_text("")
    with pytest.raises(FileRefused) as refused:
        stored(gateway, b"x")
    assert (refused.value.status, refused.value.condition) == (503, "internal-server-error")
    assert client.get("/files/" + "A" * 24 + "/x").status_code in (404, 503)
    assert client.get("/status", headers=ADMIN).status_code == 200
    os.unlink(gateway.data_dir / "files")
    assert stored(gateway, b"x").size == 1


def test_an_upload_of_unknown_length_takes_the_room_that_there_is(make_app: MakeApp) -> None:
    """More is set aside than it needs, but only where that is there."""
    gateway: Gateway = register_users(make_app(files_quota="100", files_max_size="1000000")).extensions["gateway"]
    stored(gateway, b"x" * 90)
    with gateway.parts.files.begin(parse_jid(JULIET), "x") as upload:
        upload.write(b"12345")
        upload.write(b"12345")
        upload.commit()
    assert gateway.parts.files.used(parse_jid(JULIET)) == 100


def test_the_gateway_itself_may_upload(gateway: Gateway) -> None:
    assert gateway.parts.files.access.may(parse_jid(DOMAIN))


def test_the_gauges_of_files(gateway: Gateway) -> None:
    stored(gateway, b"rose")
    found = gateway.parts.gauges(True)
    assert (found["files"], found["files_bytes"], found["files_limit_bytes"]) == (1, 4, 10737418240)


def test_a_leader_that_ends_before_it_answers(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent: the client may try again, and what may have been set aside is free again."""
    quotas = gateway.parts.files.quotas
    assert all(offer.repeatable for offer in offers_of(FileQuotas))  # else it would be a failure that nobody may repeat

    def unanswered(call: Callable[..., Full | None]) -> Callable[..., Full | None]:
        def run(*args: Any) -> Full | None:
            call(*args)
            raise Unanswered("it has ended")

        return run

    with monkeypatch.context() as patched:
        patched.setattr(quotas, "reserve", unanswered(quotas.reserve))
        patched.setattr(quotas, "take_slot", unanswered(quotas.take_slot))
        answer = client.post("/rest/files", data=b"rose", headers=basic(JULIET))
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert "Retry-After" in answer.headers
        assert asked(gateway, request(4)).get("type") == "error"
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0
    assert kept(gateway) == []
    path, fields = slot(gateway, 4)
    with monkeypatch.context() as patched:
        patched.setattr(quotas, "upload_begins", unanswered(quotas.upload_begins))
        assert client.put(path, data=b"rose", headers=fields).status_code == 503
    assert client.put(path, data=b"rose", headers=fields).status_code == 201
    assert gateway.parts.files.used(parse_jid(JULIET)) == 4
