"""The settings of rooms on other servers (rooms-anywhere §2, §12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmpp_rest.config.check import describe, nonsense, remarks
from xmpp_rest.config.live import merge
from xmpp_rest.config.load import SettingsError, load_settings
from xmpp_rest.config.room_readers import CallbackRoom
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import parse_jid

BOT = "[callback.bot]\nurl = http://127.0.0.1/\naddress = bot@gateway.localhost\n"
GARDEN = parse_jid("garden@conference.capulet.example")


class NoCommands:
    names = tags = frozenset[str]()


def ini(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "wsgi.ini"
    path.write_text(f"[gateway]\ndomain = gateway.localhost\n{text}")
    return load_settings(path, environ or {})


def test_the_defaults_are_those_of_the_specification(tmp_path: Path) -> None:
    s = ini(tmp_path, "").rooms_anywhere
    assert (s.join, s.nick, s.resource, s.no_join) == ("on-demand", "", "xmpp-rest", frozenset())
    assert (s.join_timeout, s.reflection_timeout, s.idle, s.self_ping, s.retry_max, s.hold) == (10, 10, 86400, 600, 300, 300)
    assert (s.held, s.rooms, s.joins, s.joins_at_once, s.occupants, s.keep) == (100, 100, 30, 5, 1000, 1000)


def test_the_longest_section_name_of_the_environment_wins(tmp_path: Path) -> None:
    s = ini(tmp_path, BOT, {"XMPP_REST_ROOMS_ANYWHERE_JOIN": "never", "XMPP_REST_CALLBACK_BOT_ROOM_REPLIES": "7"})
    assert (s.rooms_anywhere.join, s.callbacks["bot"].room_replies) == ("never", 7)


def test_rooms_of_a_callback_have_nicks_and_passwords(tmp_path: Path) -> None:
    written = (
        "rooms = garden@conference.capulet.example/The Bot, hall@conference.capulet.example password=open sesame, Inn@b.example/x password="
    )
    rooms = ini(tmp_path, f"{BOT}{written}").callbacks["bot"].rooms
    hall, inn = parse_jid("hall@conference.capulet.example"), parse_jid("inn@b.example")
    assert rooms == (CallbackRoom(GARDEN, "The Bot"), CallbackRoom(hall, "", "open sesame"), CallbackRoom(inn, "x", ""))
    assert "sesame" not in repr(rooms)


def test_rooms_come_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "rooms").write_text("garden@conference.capulet.example/bot password=x\nhall@conference.capulet.example\n")
    rooms = ini(tmp_path, f"{BOT}rooms_file = rooms").callbacks["bot"].rooms
    assert [str(r.room) for r in rooms] == ["garden@conference.capulet.example", "hall@conference.capulet.example"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{BOT}rooms = anyone", "invited_by = anyone"),
        (f"{BOT}rooms = admins", "invited_by = admins"),
        (f"{BOT}rooms = conference.capulet.example", "not the address of a room"),
        (f"{BOT}rooms = a@b.example, a@b.example/x", "each room once"),
        (f"{BOT}rooms = a@b.example/%s" % ("x" * 1024), "garden@conference.example.org/nick"),
        (f"{BOT}room_replies = 0", "from 1 to 100000"),
        ("[rooms_anywhere]\njoin = always", "on-demand, never"),
        ("[rooms_anywhere]\nnick = \u200b x\u0007", "can be called"),
        ("[rooms_anywhere]\nresource =", "resource"),
        ("[rooms_anywhere]\nidle = 40000000", "0 to 3.1536e+07"),
        ("[rooms_anywhere]\nhold = 0", "0.1 to 86400"),
        ("[rooms_anywhere]\nkeep = 100001", "0 to 100000"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(SettingsError) as problem:
        ini(tmp_path, line)
    assert told in str(problem.value)


def test_the_check_lists_rooms_and_tells_what_cannot_work(tmp_path: Path) -> None:
    text = f"{BOT}rooms = garden@conference.capulet.example/Gardener password=s3sam\n"
    s = ini(tmp_path, text)
    (line,) = (line for line in describe(s) if "garden" in line)
    assert line == "have bot@gateway.localhost stay in garden@conference.capulet.example as Gardener for [callback.bot]"
    assert not any("s3sam" in line for line in (*describe(s), *remarks(s)))
    assert any("[link] kind is none" in remark for remark in remarks(s))
    again = text.replace("callback.bot", "callback.two").replace("@conference.capulet.example", "@gateway.localhost")
    problems = nonsense(ini(tmp_path, f"{text}{again}{text.replace('callback.bot', 'callback.too')}"), NoCommands())
    assert sum("hosted domain, which has no rooms" in p for p in problems) == 1
    assert sum("already" in p for p in problems) == 1
    linked = ini(tmp_path, f"{text}[link]\nkind = component\nsecret = x\n")
    assert not any("rooms" in remark for remark in remarks(linked))


def test_four_settings_take_effect_without_a_restart(tmp_path: Path) -> None:
    old = ini(tmp_path, "")
    new = ini(tmp_path, "[rooms_anywhere]\njoin = never\nnick = Bot\nhold = 1\nidle = 2\nheld = 3\n")
    merged = merge(old, new)
    live = merged.settings.rooms_anywhere
    assert (live.join, live.nick, live.hold, live.idle, live.held) == ("never", "Bot", 1, 2, 100)
    assert merged.waiting == ["[rooms_anywhere] held"]
