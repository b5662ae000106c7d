"""What is shared by two machines that are one gateway, seen by their HTTP APIs (many-machines §9 to §11)."""

from __future__ import annotations

import base64
import secrets
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.files.slots import slot
from tests.cluster.conftest import CONFERENCE, Machine
from tests.conftest import DOMAIN, PASSWORD, basic
from tests.link.attached import until
from tests.many import in_threads
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.registry import Stream

JULIET, NURSE = parse_jid(f"juliet@{DOMAIN}"), parse_jid(f"nurse@{DOMAIN}")
Two = tuple[Machine, Machine]
BOTH_WAYS = pytest.mark.parametrize("way", [0, 1], ids=["owner-first", "owner-last"])


def turned(machines: Two, way: int) -> Two:
    return machines if way == 0 else (machines[1], machines[0])


def fresh() -> str:
    return f"u{secrets.token_hex(4)}"


def me(name: str, password: str = PASSWORD) -> dict[str, str]:
    return basic(f"{name}@{DOMAIN}", password)


def account(machine: Machine) -> str:
    """The name of a new account, with PASSWORD."""
    name = fresh()
    assert machine.run("register", user=name, host=DOMAIN, password=PASSWORD).status_code == 200
    return name


def bodies(stream: Stream, count: int) -> list[str | None]:
    found: list[str | None] = []
    while len(found) < count:
        event = stream.next(30)
        assert event is not None
        if event.stanza.findtext("body"):
            found.append(event.stanza.findtext("body"))
    return found


@BOTH_WAYS
def test_passwords_and_data_are_the_same_at_once(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    assert other.client.get("/data/settings", headers=me(name)).status_code == 404
    for _ in range(2):  # the second time by what is remembered
        assert other.client.put("/data/settings", json={"a": 1}, headers=me(name)).status_code < 300
    assert one.client.get("/data/settings", headers=me(name)).json == {"a": 1}
    assert one.run("change_password", user=name, host=DOMAIN, newpass="new").status_code == 200
    assert other.client.get("/data/settings", headers=me(name)).status_code in (401, 403)
    assert other.client.get("/data/settings", headers=me(name, "new")).json == {"a": 1}
    token = {"Authorization": f"Bearer {one.gateway.parts.tokens.issue(parse_jid(f'{name}@{DOMAIN}'), ['sasl_auth'], 60)}"}
    assert [m.client.get("/rest/ping/" + DOMAIN, headers=token).status_code for m in (one, other, other)] == [200] * 3
    assert other.run("oauth_revoke_token", token=token["Authorization"][7:]).status_code == 200
    assert one.client.get("/rest/ping/" + DOMAIN, headers=token).status_code in (401, 403)
    assert one.run("unregister", user=name, host=DOMAIN).status_code == 200
    assert other.client.get("/data/settings", headers=me(name, "new")).status_code in (401, 403)


@BOTH_WAYS
def test_wrong_passwords_count_at_all_and_are_forgiven_at_all(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    limit = one.gateway.settings.auth.failures
    for _ in range(limit):
        assert one.client.get("/data/settings", headers=me(name, "wrong")).status_code in (401, 403)
    counted = other.gateway.parts.authenticator
    until(lambda: any(f.wrong >= limit for f in throttle_of(counted)))
    assert other.run("unban_ip", address="127.0.0.1").status_code == 200
    until(lambda: all(f.wrong < limit for f in throttle_of(one.gateway.parts.authenticator)))


def throttle_of(authenticator: Any) -> list[Any]:
    return list(authenticator._throttle._failed.values())


@BOTH_WAYS
def test_streams_are_listed_and_ended_wherever_they_are(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    owner = parse_jid(f"{name}@{DOMAIN}")
    stream = one.gateway.parts.streams.open(owner)
    assert f"{owner}/{stream.resource}" in str(other.run("connected_users").json)
    assert other.run("kick_session", user=name, host=DOMAIN, resource=stream.resource, reason="enough").status_code == 200
    until(lambda: stream.ended)
    assert f"{owner}/{stream.resource}" not in str(one.run("connected_users").json)


@BOTH_WAYS
def test_a_stream_hears_what_is_sent_elsewhere_and_resumes_anywhere(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    owner = parse_jid(f"{name}@{DOMAIN}")
    here, there = one.gateway.parts.streams.open(owner), other.gateway.parts.streams.open(owner)
    for number in range(10):
        assert (one, other)[number % 2].send(str(number), to=str(owner)).status_code == 202
    assert bodies(here, 4) == ["0", "1", "2", "3"]
    last = here._last
    assert bodies(there, 10) == [str(n) for n in range(10)]
    assert bodies(here, 6) == [str(n) for n in range(4, 10)]
    resumed = other.gateway.parts.streams.open(owner, after=last)
    assert bodies(resumed, 6) == [str(n) for n in range(4, 10)]
    for stream in (here, there, resumed):
        stream.close()


@BOTH_WAYS
def test_a_request_with_a_key_is_done_once(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    key = secrets.token_hex(8)
    first = one.send("once", Idempotency_Key=key)
    again = other.send("once", Idempotency_Key=key)
    assert (first.status_code, again.status_code, again.headers.get("Idempotent-Replayed")) == (202, 202, "true")
    assert first.headers["Stanza-Id"] == again.headers["Stanza-Id"]
    assert other.send("something else", Idempotency_Key=key).status_code == 422


def test_two_at_once_with_one_key(machines: Two) -> None:
    for _ in range(5):
        key = secrets.token_hex(8)
        answers = in_threads(partial(send_once, key), machines)
        assert {a.status_code for a in answers} <= {202, 409}
        assert len({a.headers["Stanza-Id"] for a in answers if a.status_code == 202}) == 1


def send_once(key: str, machine: Machine) -> TestResponse:
    return machine.send("once", Idempotency_Key=key)


@BOTH_WAYS
def test_what_is_blocked_at_one_is_blocked_at_the_other(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    to = f"{name}@{DOMAIN}"
    stream = other.gateway.parts.streams.open(parse_jid(to))
    assert other.send("before", to=to).status_code == 202
    assert bodies(stream, 1) == ["before"]
    block = f"<iq type='set' id='1' to='{to}'><block xmlns='urn:xmpp:blocking'><item jid='juliet@{DOMAIN}'/></block></iq>"
    assert one.client.post("/rest", data=block, headers=me(name) | {"Content-Type": "application/xmpp+xml"}).status_code == 200
    assert other.send("blocked", to=to).status_code != 202 or other.send("after", who="nurse", to=to).status_code == 202
    assert other.send("after", who="nurse", to=to).status_code == 202
    assert bodies(stream, 1) == ["after"]
    stream.close()


def test_the_level_of_the_log_is_that_of_all(machines: Two) -> None:
    assert machines[1].run("set_loglevel", loglevel="info").status_code == 200
    assert [m.run("get_loglevel").json for m in machines] == ["info", "info"]


@BOTH_WAYS
def test_a_hook_made_at_one_is_called_at_the_other(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    made = one.client.post("/hooks", json={"name": f"ops-{name}", "rate": 6}, headers=me(name))
    assert made.status_code == 201
    path = f"/hooks/{made.get_json()['token']}"
    answers = [(one, other)[number % 2].client.post(path, json={"message": str(number)}) for number in range(9)]
    assert sorted(a.status_code for a in answers) == [200] * 6 + [429] * 3
    shown = other.client.get(f"/hooks/ops-{name}", headers=me(name)).get_json()
    assert shown["deliveries"] == 6
    assert other.client.delete(f"/hooks/ops-{name}", headers=me(name)).status_code == 204
    assert one.client.post(path, json={"message": "gone"}).status_code == 404


@BOTH_WAYS
def test_what_is_scheduled_at_one_is_shown_and_removed_at_the_other(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    later = one.send("later", who=name, Delay="1h")
    assert later.status_code == 202
    shown = other.client.get("/rest/scheduled", headers=me(name)).get_json()["scheduled"]
    assert [each["id"] for each in shown] == [later.get_json()["id"]]
    assert other.client.delete(later.headers["Location"], headers=me(name)).status_code == 204
    assert one.client.get("/rest/scheduled", headers=me(name)).get_json()["scheduled"] == []
    stream = other.gateway.parts.streams.open(parse_jid(f"{name}@{DOMAIN}"))
    assert one.send("soon", to=f"{name}@{DOMAIN}", Delay="1s").status_code == 202
    assert bodies(stream, 1) == ["soon"]
    stream.close()


@BOTH_WAYS
def test_a_slot_given_at_one_is_used_at_the_other(machines: Two, way: int) -> None:
    one, other = turned(machines, way)
    name = account(one)
    put = slot(one.gateway, 5, sender=f"{name}@{DOMAIN}/balcony")
    stored = other.client.put(put.path, data=b"roses", headers=put.fields)
    assert stored.status_code == 201
    assert one.client.put(put.path, data=b"roses", headers=put.fields).status_code in (403, 409)
    assert one.client.get(put.path).data == b"roses"
    files = one.gateway.parts.files
    assert [m.gateway.parts.files.used(parse_jid(f"{name}@{DOMAIN}")) for m in machines] == [5, 5]
    (file,) = files.of(parse_jid(f"{name}@{DOMAIN}"))
    assert files.delete(file.id)
    assert other.client.get(put.path).status_code == 404
    assert other.gateway.parts.files.used(parse_jid(f"{name}@{DOMAIN}")) == 0


def test_two_make_one_room_at_once(machines: Two) -> None:
    for room in (fresh() for _ in range(5)):
        made = in_threads(partial(make_room, room), machines)
        assert sorted(answer.status_code for answer in made) == [200, 400]
        made = in_threads(partial(make_light_room, room), machines)
        assert sorted(answer.status_code for answer in made) == [201, 403]


def make_room(name: str, machine: Machine) -> TestResponse:
    return machine.run("create_room", room=name, service=CONFERENCE, host=DOMAIN)


def make_light_room(name: str, machine: Machine) -> TestResponse:
    return machine.client.put(f"/api/rooms/{name}", json={"name": "Verona", "subject": "feuds"}, headers=me("juliet"))


def test_affiliations_set_at_two_nodes_are_both_there(machines: Two) -> None:
    room = fresh()
    options = [{"name": "persistent", "value": "true"}]
    assert machines[0].run("create_room_with_opts", room=room, service=CONFERENCE, host=DOMAIN, options=options).status_code == 200
    users = [f"{fresh()}@{DOMAIN}" for _ in range(10)]

    def set_all(place: int) -> None:
        for user in users[place::2]:
            answer = machines[place].run(
                "set_room_affiliation", room=room, service=CONFERENCE, user=user.partition("@")[0], host=DOMAIN, affiliation="member"
            )
            assert answer.status_code == 200, answer.text

    in_threads(set_all, [0, 1])
    listed: list[dict[str, str]] = machines[1].run("get_room_affiliations", room=room, service=CONFERENCE).get_json()
    assert {each["jid"] for each in listed if each["affiliation"] == "member"} == set(users)


def test_a_job_is_shown_and_ended_anywhere(machines: Two) -> None:
    answer = machines[1].run("delete_old_messages_batch", host=DOMAIN, days=9999, batch_size=10, rate=600)
    assert answer.status_code == 200, answer.text
    status = machines[0].run("delete_old_messages_status", host=DOMAIN)
    assert status.status_code == 200
    assert "progress" in status.text or "completed" in status.text or "in" in status.text


def test_usage_is_counted_over_both(machines: Two) -> None:
    name = account(machines[0])
    for number in range(6):
        stored = machines[number % 2].client.put(
            f"/data/{'abcdef'[number]}", json={"x": base64.b64encode(bytes(9000)).decode()}, headers=me(name)
        )
        assert stored.status_code in (200, 201, 204), stored.text
    noted = machines[0].gateway.driver.load(name, DOMAIN, "data_usage")
    assert isinstance(noted, dict)
    assert len(noted) == 6
