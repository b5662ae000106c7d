"""Settings are compared by digests that tell nobody what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmpp_rest.cluster.settings_digest import SettingsDigests, differing, hosted
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings

FILE = """
[gateway]
domain = gateway.example
[link]
kind = component
secret = {secret}
[auth]
admin_password = {password}
failures = {failures}
[rights.readers]
who = account
what = {what}
[callback.alerts]
url = https://hooks.example/{path}
secret = {signing}
"""
USUAL = {
    "secret": "art thou",
    "password": "wherefore",
    "failures": "30",
    "what": "status",
    "path": "a",
    "signing": "a signing key of theirs",
}


def settings(folder: Path, **changed: str) -> Settings:
    path = folder / "wsgi.ini"
    path.write_text(FILE.format(**USUAL | changed), encoding="utf-8")
    return load_settings(path, {})


@pytest.mark.parametrize(
    ("changed", "sections"),
    [
        ({}, []),
        ({"password": "Romeo"}, []),  # it counts at the first start alone
        ({"failures": "31"}, ["[auth]"]),
        ({"what": "stats", "path": "b"}, ["[callback.alerts]", "[rights.readers]"]),
        ({"signing": "another signing key"}, ["[callback.alerts]"]),
        ({"secret": "another", "failures": "31"}, ["[link] secret"]),
    ],
)
def test_what_differs_is_named(tmp_path: Path, changed: dict[str, str], sections: list[str]) -> None:
    digests = SettingsDigests()
    assert differing(digests.of(settings(tmp_path)), digests.of(settings(tmp_path, **changed))) == sections


def test_a_section_that_one_node_has_alone_differs(tmp_path: Path) -> None:
    digests = SettingsDigests().of(settings(tmp_path))
    assert differing(digests, {name: digest for name, digest in digests.items() if name != "rights.readers"}) == ["[rights.readers]"]


def test_digests_hold_no_setting_and_are_the_same_in_each_process(tmp_path: Path) -> None:
    one, other = SettingsDigests().of(settings(tmp_path)), SettingsDigests().of(settings(tmp_path))
    assert one == other
    assert {"auth", "link", "rooms", "conference", "rights.readers", "callback.alerts"} < set(one)
    assert not [text for text in USUAL.values() if len(text) > 3 and text in str(one)]


def test_the_hosted_domains_are_told_as_they_are_written(tmp_path: Path) -> None:
    assert hosted(settings(tmp_path))["domain"] == "gateway.example"
