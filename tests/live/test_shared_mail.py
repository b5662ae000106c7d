"""Messages that a Prosody and a gateway write into the same archives: none is lost, doubled, or shown to somebody else, in files and in databases.

The database is made by the gateway, and taken over by Prosody.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from .gateway import PASSWORD as ADMIN_PASSWORD
from .shared import ArchivedMessage, Shared, bodies, page
from .xmppserver import DOMAIN

APPEND = 'return require "util.datamanager".list_append("leo", module.host, "wishes", { n = "%s" })'
READ = """
local dm = require "util.datamanager"
local list = (dm.list_open or dm.list_load)("leo", module.host, "wishes")
local names = {}
for i = 1, #list do names[i] = list[i].n end
return table.concat(names, " ")
"""

MANY_SETS = """
local store, failures = module:open_store("settings"), 0
for n = 1, 60 do
    if not store:set("pam", { n = n, by = "theirs" }) then failures = failures + 1 end
end
return failures
"""

FORGET_OLD = 'return module:open_store("archive", "archive"):delete("rae", { truncate = 26 })'


def indexes(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE tbl_name='prosodyarchive'")}


def jid(name: str) -> str:
    return f"{name}@{DOMAIN}"


def text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def test_archives_written_in_turn(shared: Shared) -> None:
    """Also while the list has an index of Prosody 13 from the queries in between; and items between others are removed."""
    shared.make_by_gateway("ann", "ben", "cat")
    if shared.storage == "sqlite":
        assert "prosodyarchive_with_when" not in indexes(shared.file)
    expected = []
    for turn in range(shared.rounds):
        with shared.online("ann", "ben", "cat") as (ann, ben, cat):
            ann.send_message(jid("ben"), f"p{turn}")
            ann.send_message(jid("ben"), f"q{turn}")
            ben.wait_message(f"q{turn}")
            cat.send_message(jid("ben"), f"c{turn}")
            ben.wait_message(f"c{turn}")
            expected += [f"p{turn}", f"q{turn}", f"c{turn}"]
            assert [kept.body for kept in page(ben)] == expected
        shared.say("ben", "ann", f"o{turn}")
        shared.say("ben", "cat", f"d{turn}")
        expected += [f"o{turn}", f"d{turn}"]
        assert shared.history("ben") == expected
    apart = {"ann": [body for body in expected if body[0] in "pqo"], "cat": [body for body in expected if body[0] in "cd"]}
    for name, mine in apart.items():
        assert shared.history(name) == shared.history("ben", name) == mine
    with shared.online("ann", "ben", "cat") as (ann, ben, cat):
        everything = page(ben)
        assert [kept.body for kept in everything] == expected
        assert len({kept.id for kept in everything}) == len(expected)
        for user, name in ((ann, "ann"), (cat, "cat")):
            assert [kept.body for kept in page(user)] == apart[name]
            assert [kept.body for kept in page(ben, with_=jid(name))] == apart[name]
    shared.command("remove_mam_for_user_with_peer", user="ben", host=DOMAIN, **{"with": jid("cat")})
    shared.say("ann", "ben", "late")
    with shared.online("ann", "ben", "cat") as (ann, ben, cat):
        ann.send_message(jid("ben"), "later")
        ben.wait_message("later")
        assert [kept.body for kept in page(ben)] == [*apart["ann"], "late", "later"] == [kept.body for kept in page(ann)]
        assert [kept.body for kept in page(cat)] == apart["cat"]
    assert shared.history("ben") == [*apart["ann"], "late", "later"]
    if shared.storage == "sqlite":  # Prosody has made it (decision 0039)
        assert {"prosodyarchive_with_when", "xmpprest_archive_by_store"} <= indexes(shared.file)


def test_pages_and_times(shared: Shared) -> None:
    shared.make_by_gateway("dan", "eve")
    for turn in range(shared.rounds):
        with shared.online("dan", "eve") as (dan, eve):
            for n in range(3):
                dan.send_message(jid("eve"), f"p{turn}{n}")
                eve.wait_message(f"p{turn}{n}")
        for n in range(3):
            shared.say("dan", "eve", f"o{turn}{n}")
    expected = [f"{who}{turn}{n}" for turn in range(shared.rounds) for who in "po" for n in range(3)]
    with shared.online("eve") as (eve,):
        everything = page(eve)
        assert [kept.body for kept in everything] == expected
        # 13 writes fractions into SQLite, and shows no other's
        seconds = [kept.stamp.replace(microsecond=0) for kept in everything]
        assert seconds == sorted(seconds)
        forwards: list[ArchivedMessage] = []
        last = first = ""
        while found := page(eve, f"<max>5</max><after>{last}</after>" if last else "<max>5</max>"):
            forwards += found
            last = found[-1].id
        assert forwards == everything
        backwards: list[ArchivedMessage] = []
        while found := page(eve, f"<max>5</max><before>{first}</before>"):
            backwards[:0] = found
            first = found[0].id
        assert backwards == everything
        for kept in everything:
            # Its SQL rounds both limits down to seconds, and 13 compares them with fractions in SQLite; in files a stamp is a part of the exact time.
            exact = kept.stamp if shared.storage == "flatfile" else kept.stamp.replace(microsecond=0)
            assert page(eve, start=text(exact)) == [other for other in everything if other.stamp >= exact]
            end = exact + timedelta(microseconds=1 if exact.microsecond else 0)
            assert page(eve, end=text(end)) == [other for other in everything if other.stamp <= end]
    items = shared.ask("GET", "/api/messages", "eve")[1]
    assert [item["body"] for item in items] == [kept.body for kept in everything] == expected
    assert [item["timestamp"] // 1000 for item in items] == [second.timestamp() for second in seconds]


def test_a_long_archive_written_in_turn(shared: Shared) -> None:
    """Files so long that the gateway has an index of them: it knows of what Prosody has appended, and removed."""
    if shared.storage != "flatfile":
        pytest.skip("in databases an archive has no file")
    shared.make_by_gateway("quin", "rae")
    tale, expected = "x" * 3000, []
    for turn in range(3):
        with shared.online("quin", "rae") as (quin, rae):
            for n in range(8):
                quin.send_message(jid("rae"), f"p{turn}{n} {tale}")
                rae.wait_message(f"p{turn}{n} {tale}")
            expected += [f"p{turn}{n}" for n in range(8)]
            assert [kept.body[:3] for kept in page(rae)] == expected
        for n in range(4):
            shared.say("quin", "rae", f"o{turn}{n} {tale}")
        expected += [f"o{turn}{n}" for n in range(4)]
        items = shared.ask("GET", "/api/messages?limit=5", "rae")[1]
        assert [item["body"][:3] for item in items] == expected[-5:]
        everything = shared.ask("GET", "/api/messages?limit=500", "rae")[1]
        assert [item["body"][:3] for item in everything] == expected
        time = everything[len(expected) // 2]["timestamp"]
        before = shared.ask("GET", f"/api/messages?limit=5&before={time}", "rae")[1]
        assert before == [item for item in everything if item["timestamp"] < time][-5:]
        assert shared.command("get_mam_count", user="rae", host=DOMAIN) == len(expected)
    assert shared.prosody().do(FORGET_OLD) == "10"
    assert shared.command("get_mam_count", user="rae", host=DOMAIN) == len(expected) - 10
    assert [body[:3] for body in shared.history("rae")] == expected[10:]
    shared.say("quin", "rae", "last")
    with shared.online("rae") as (rae,):
        assert [kept.body[:3] for kept in page(rae)] == [*expected[10:], "las"]


def test_waiting_messages_are_delivered_once(shared: Shared) -> None:
    shared.make_by_gateway("fay", "gus", "hal")
    for _ in range(shared.rounds):
        with shared.online("fay") as (fay,):
            fay.send_message(jid("gus"), "p0")
            fay.send_message(jid("hal"), "for hal")
        shared.say("fay", "gus", "o1")
        with shared.online("fay") as (fay,):
            fay.send_message(jid("gus"), "p2")
        shared.say("fay", "gus", "o3")
        assert shared.command("get_offline_count", user="gus", host=DOMAIN) == 4
        with shared.online("gus") as (gus,):
            assert bodies(gus) == ["p0", "o1", "p2", "o3"]
        with shared.online("gus", "hal") as (gus, hal):
            assert bodies(gus) == []
            assert bodies(hal) == ["for hal"]
    assert shared.command("get_offline_count", user="gus", host=DOMAIN) == 0


def test_lists_of_files_changed_at_data(shared: Shared) -> None:
    """Archives and offline messages are lists at `/data` where they are files."""
    if shared.storage != "flatfile":
        pytest.skip("in databases lists and archives are different things")
    shared.make_by_gateway("ian", "kim")
    with shared.online("ian", "kim") as (ian, kim):
        for n in range(3):
            ian.send_message(jid("kim"), f"p{n}")
            kim.wait_message(f"p{n}")
        assert [kept.body for kept in page(kim)] == ["p0", "p1", "p2"]
    assert shared.ask("DELETE", f"/data/{DOMAIN}/kim/archive", "admin", ADMIN_PASSWORD)[0] == 204
    shared.say("ian", "kim", "o")
    with shared.online("ian", "kim") as (ian, kim):
        ian.send_message(jid("kim"), "q")
        kim.wait_message("q")
        assert [kept.body for kept in page(kim)] == ["o", "q"]


def test_plain_lists_of_files(shared: Shared) -> None:
    if shared.storage != "flatfile":
        pytest.skip("Prosody keeps plain lists in files")
    shared.make_by_gateway("leo")
    names = []
    for turn in range(3):
        assert shared.ask("POST", "/data/wishes", "leo", body={"n": f"o{turn}"})[0] == 201
        assert shared.prosody().do(APPEND % f"p{turn}") == "true"
        names += [f"o{turn}", f"p{turn}"]
        assert shared.prosody().do(READ).split() == names
    assert shared.ask("GET", "/data/wishes", "leo") == (200, [{"n": name} for name in names])
    assert shared.ask("DELETE", "/data/wishes", "leo")[0] == 204
    assert shared.ask("POST", "/data/wishes", "leo", body={"n": "again"})[0] == 201
    assert shared.prosody().do(READ) == "again"


def test_both_write_at_once(shared: Shared) -> None:
    if shared.storage != "postgresql":
        pytest.skip("files and SQLite are not written by both at once")
    shared.make_by_gateway("max", "ned", "oda")
    count = 40
    with shared.online("max", "oda") as (max_, oda):
        for n in range(count):
            max_.send_message(jid("ned"), f"p{n}")
            oda.send_message(jid("max"), f"q{n}")
            shared.say("max", "ned", f"o{n}")
            shared.say("ned", "oda", f"r{n}")
    with shared.online("ned", "oda") as (ned, oda):
        waiting = bodies(ned)
        for who in "po":
            assert [body for body in waiting if body[0] == who] == [f"{who}{n}" for n in range(count)]
        assert len(waiting) == 2 * count
        assert [kept.body for kept in page(oda, with_=jid("ned"))] == [f"r{n}" for n in range(count)]
    history = shared.ask("GET", "/api/messages?limit=500", "ned")[1]
    assert sorted(item["body"] for item in history) == sorted(f"{who}{n}" for who in "por" for n in range(count))


def test_both_write_one_table_at_once(shared: Shared) -> None:
    if shared.storage != "postgresql" or not shared.prosody().is_13():
        pytest.skip("of a table that two change at once, only Prosody 13 and PostgreSQL keep each member once")
    shared.make_by_gateway("pam")
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(shared.server.do, MANY_SETS)
        statuses = [shared.ask("PUT", "/data/settings", "pam", body={"n": n, "by": "ours"})[0] for n in range(60)]
        failures = theirs.result()
    assert set(statuses) == {201}
    assert int(failures) <= 3, "PostgreSQL may end one of two transactions that wait for each other, and Prosody does not try again"
    status, table = shared.ask("GET", "/data/settings", "pam")
    assert (status, sorted(table)) == (200, ["by", "n"])
