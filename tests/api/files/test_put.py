"""Slots and what is PUT to them (files §4.2)."""

from __future__ import annotations

import errno
import io
import os
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.files.slots import JULIET, asked, condition, path_of, request, slot, stored
from tests.conftest import DOMAIN, MakeApp, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.quotas import NOBODY
from xmpp_rest.service.files.refused import FileRefused

CONTENT = b"0123456789"


def test_an_upload_is_readable_at_once(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, len(CONTENT), "a b.png")
    assert path.endswith("/a%20b.png")
    assert client.get(path).status_code == 404
    answer = client.put(path, data=CONTENT, headers=fields)
    assert (answer.status_code, answer.data) == (201, b"")
    got = client.get(path)
    assert (got.data, got.headers["Content-Type"]) == (CONTENT, "image/png")
    (file,) = gateway.parts.files.of(parse_jid(JULIET))
    assert (file.name, file.size, file.owner) == ("a b.png", 10, parse_jid(JULIET))


@pytest.mark.parametrize(
    ("fields", "data", "status"),
    [
        ({"Authorization": ""}, CONTENT, 401),
        ({"Authorization": "Bearer x"}, CONTENT, 403),
        ({"Authorization": "Basic eDp5"}, CONTENT, 403),
        ({}, CONTENT + b"x", 413),
        ({}, CONTENT[1:], 413),
        ({"Content-Type": "image/jpeg"}, CONTENT, 415),
        ({"Content-Encoding": "gzip"}, CONTENT, 415),
        ({"Content-Range": "bytes 0-9/10"}, CONTENT, 400),
    ],
)
def test_what_is_not_taken(client: FlaskClient, gateway: Gateway, fields: dict[str, str], data: bytes, status: int) -> None:
    path, good = slot(gateway, len(CONTENT))
    answer = client.put(path, data=data, headers={k: v for k, v in (good | fields).items() if v})
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.get_json()["status"] == status
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    assert client.get(path).status_code == 404
    assert client.put(path, data=CONTENT, headers=good).status_code == 201  # the slot is good still


def test_without_a_length(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, len(CONTENT))
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    answer = client.put(path, data=CONTENT, headers=fields, environ_overrides=chunked)
    assert answer.status_code == 411


def test_a_slot_is_for_one_address(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, 10)
    other = slot(gateway, 10).path
    for wrong in (f"{path}x", other, path.replace("rose", "r%2Fse"), "/files/" + "A" * 24 + "/rose.png"):
        assert client.put(wrong, data=CONTENT, headers=fields).status_code in (403, 404)
    assert client.put(path + "x", data=CONTENT, headers=fields).status_code == 403
    assert client.put(other, data=CONTENT, headers=fields).status_code == 403
    file = stored(gateway, b"kept")
    assert client.put(path_of(gateway, file), data=b"evil").status_code == 404
    assert client.put(path_of(gateway, file), data=b"evil", headers=fields).status_code == 403
    assert client.get(path_of(gateway, file)).data == b"kept"


def test_a_slot_is_used_once(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, 10)
    assert client.put(path, data=CONTENT, headers=fields).status_code == 201
    assert client.put(path, data=b"x" * 10, headers=fields).status_code == 409
    assert client.get(path).data == CONTENT
    assert gateway.parts.files.delete(path.split("/")[2])
    assert client.put(path, data=CONTENT, headers=fields).status_code == 409
    assert client.get(path).status_code == 404


def test_a_slot_has_its_time(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fields = slot(gateway, 10)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 301)
    assert client.put(path, data=CONTENT, headers=fields).status_code == 403
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0


def test_a_token_of_another_gateway(client: FlaskClient, gateway: Gateway, make_app: MakeApp) -> None:
    other: Gateway = register_users(make_app()).extensions["gateway"]
    path, _ = slot(gateway, 10)
    assert client.put(path, data=CONTENT, headers=slot(other, 10).fields).status_code == 403


def test_a_body_that_ends_early_leaves_nothing(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, 10)
    answer = client.put(path, data=b"012", headers=fields, environ_overrides={"CONTENT_LENGTH": "10"})
    assert answer.status_code == 400
    assert [p.name for p in (gateway.data_dir / "files").rglob("*") if p.is_file()] == [path.split("/")[2]]  # the slot
    assert client.put(path, data=CONTENT, headers=fields).status_code == 201


class Slow(io.RawIOBase):
    """A body during which something else happens."""

    def __init__(self, then: Any) -> None:
        self._then = then
        self._parts = [CONTENT[:5], CONTENT[5:]]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if len(self._parts) == 1:
            self._then()
        return self._parts.pop(0) if self._parts else b""


def test_of_two_uploads_at_once_one_counts(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, 10)
    inner: list[int] = []
    body = Slow(lambda: inner.append(client.application.test_client().put(path, data=b"second one"[:10], headers=fields).status_code))
    answer = client.put(path, headers=fields, environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "10"})
    assert sorted([*inner, answer.status_code]) == [201, 409]
    assert client.get(path).data == b"second one"
    assert [p.suffix for p in (gateway.data_dir / "files").rglob("*.part")] == []


def test_an_upload_counts_for_as_long_as_it_takes(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a slow one would make room for the next as soon as its slot is over, and all of them would be kept."""
    app = register_users(make_app(files_quota="15"))
    gateway: Gateway = app.extensions["gateway"]
    client, juliet, now = app.test_client(), parse_jid(JULIET), time.time()
    path, fields = slot(gateway, 10)

    def meanwhile() -> None:
        broken = app.test_client().put(path, data=b"012", headers=fields, environ_overrides={"CONTENT_LENGTH": "10"})
        assert broken.status_code == 400
        monkeypatch.setattr("time.time", lambda: now + 301)
        assert gateway.parts.files.used(juliet) == 10
        assert condition(asked(gateway, request(6))) == ("wait", "resource-constraint")

    answer = client.put(path, headers=fields, environ_overrides={"wsgi.input": Slow(meanwhile), "CONTENT_LENGTH": "10"})
    assert answer.status_code == 201
    assert gateway.parts.files.used(juliet) == 10


def test_an_upload_whose_owner_is_removed_meanwhile(client: FlaskClient, gateway: Gateway) -> None:
    """Else the next account of this address would have the file."""
    juliet = parse_jid(JULIET)
    path, fields = slot(gateway, 10)
    assert client.get(path).status_code == 404  # with the first request the process takes its role
    with gateway.parts.files.begin(juliet, "x") as upload:
        upload.write(b"1")
        body = Slow(lambda: gateway.parts.files.remove_all(juliet))
        answer = client.put(path, headers=fields, environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "10"})
        assert (answer.status_code, answer.get_json()["condition"]) == (403, "forbidden")
        upload.write(b"2" * (17 << 20))
        with pytest.raises(FileRefused, match="was removed"):
            upload.commit()
    assert [p for p in (gateway.data_dir / "files").rglob("*") if p.is_file()] == []
    assert gateway.parts.files.used(juliet) == 0
    assert gateway.parts.files.of(juliet) == []
    assert gateway.parts.files.used(NOBODY) == 0
    path, fields = slot(gateway, 10)
    body = Slow(lambda: gateway.parts.files.remove_all(juliet))
    assert client.put(path, headers=fields, environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "11"}).status_code == 413
    body._parts[1:] = [b""]
    assert client.put(path, headers=fields, environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "10"}).status_code == 400
    assert gateway.parts.files.used(juliet) == gateway.parts.files.used(NOBODY) == 0


def test_a_slot_whose_upload_broke_off_counts_until_its_end(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fields = slot(gateway, 10)
    assert client.put(path, data=b"012", headers=fields, environ_overrides={"CONTENT_LENGTH": "10"}).status_code == 400
    assert gateway.parts.files.used(parse_jid(JULIET)) == 10
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 301)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0


def test_a_slot_that_a_killed_process_was_using_counts(client: FlaskClient, gateway: Gateway) -> None:
    path, _ = slot(gateway, 10)
    upload = gateway.parts.files.begin_slot(path.split("/")[2], "")
    quotas = gateway.parts.files.quotas
    quotas._process_left(gateway.parts.remote.group.id)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 10
    upload.abort()


def test_a_disk_that_is_full(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fields = slot(gateway, 10)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        assert client.put(path, data=CONTENT, headers=fields).status_code == 507
    assert client.get(path).status_code == 404
    assert client.put(path, data=CONTENT, headers=fields).status_code == 201


def test_a_disk_that_fails(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fields = slot(gateway, 10)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", broken)
        answer = client.put(path, data=CONTENT, headers=fields)
    assert (answer.status_code, answer.get_json()["condition"]) == (503, "internal-server-error")
    assert "Retry-After" in answer.headers
    assert str(gateway.data_dir) not in answer.text


def test_the_type_of_the_upload_counts_if_none_was_announced(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, 10, "x.bin", "")
    assert client.put(path, data=CONTENT, headers=fields | {"Content-Type": "Text/Plain; charset=UTF-8; x=1"}).status_code == 201
    assert client.get(path).headers["Content-Type"] == "text/plain; charset=UTF-8"
    path, fields = slot(gateway, 10, "x.png", "")
    assert client.put(path, data=CONTENT, headers=fields).status_code == 201
    assert client.get(path).headers["Content-Type"] == "image/png"


def test_slots_count_against_the_quota(make_app: MakeApp) -> None:
    app = register_users(make_app(files_quota="100", files_quota_total="150", files_slot_seconds="60"))
    gateway: Gateway = app.extensions["gateway"]
    slot(gateway, 60)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 60
    answer = asked(gateway, request(41))
    assert condition(answer) == ("wait", "resource-constraint")
    assert answer.find(".//{urn:xmpp:http:upload:0}retry[@stamp]") is not None
    slot(gateway, 40)
    nurse = f"nurse@{DOMAIN}/x"
    slot(gateway, 50, sender=nurse)
    assert condition(asked(gateway, request(1), nurse)) == ("wait", "resource-constraint")  # of all together


def test_a_type_that_is_none_is_taken_as_it_was_announced(client: FlaskClient, gateway: Gateway) -> None:
    path, fields = slot(gateway, 10, "x.png", "picture")
    assert fields["Content-Type"] == "picture"
    assert client.put(path, data=CONTENT, headers=fields).status_code == 201
    assert client.get(path).headers["Content-Type"] == "image/png"
