"""Alertmanager and Grafana (hooks §7.2, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.hooks.saying_cases import payload, say


def group(count: int = 0, **members: Any) -> dict[str, Any]:
    """Alertmanager's payload, with its alerts repeated up to a count, and other members."""
    value: dict[str, Any] = payload("alertmanager")
    if count:
        value["alerts"] = (value["alerts"] * count)[:count]
    return {**value, **members}


def test_alertmanager() -> None:
    said = say(payload("alertmanager"))
    assert said.text == (
        "🔥 *FIRING DiskFull* (2 firing, 1 resolved)\n"
        "🔥 web1: Disk of web1 is full\n"
        "98 % used\n"
        "🔥 web2: Disk of web2 is nearly full\n"
        "✅ web3: Disk of web3 is full\n"
        "http://alerts.example.net"
    )
    assert (said.key, said.ends) == ('{}:{alertname="DiskFull"}', False)


def test_grafana() -> None:
    assert say(payload("grafana")).text == (
        "🔥 *[FIRING:1] High memory (blue)* (1 firing)\n"
        "🔥 zone=us-1: Memory is high\n"
        "[ var='A' labels={zone=us-1} value=95 ]\n"
        "https://grafana.example.net/shot.png\n"
        "Silence: https://grafana.example.net/alerting/silence/new?m=1\n"
        "https://grafana.example.net/d/1?viewPanel=2"
    )


def test_grafanas_title_keeps_the_state() -> None:
    assert say({**payload("grafana"), "title": "Memory"}).text.startswith("🔥 *FIRING Memory* (1 firing)\n")


def test_a_description_that_adds_nothing_is_not_said() -> None:
    value = group()
    value["alerts"][2]["annotations"]["description"] = "another disk"
    assert say(value).text.count("another disk") == 1
    value["alerts"][2]["annotations"]["description"] = "disk of WEB2 is nearly full"
    assert say(value).text.lower().count("disk of web2") == 1


def test_one_alert_has_its_own_link() -> None:
    value = group()
    value["alerts"] = value["alerts"][1:2]
    assert say(value).text.endswith("http://prometheus.example.net/graph?g0.expr=1")


def test_what_is_no_address_is_no_link() -> None:
    value = payload("grafana")
    value["alerts"] = [{**value["alerts"][0], "panelURL": "", "dashboardURL": "", "generatorURL": "?orgId=1"}]
    assert say({**value, "externalURL": "https://grafana.example.net/"}).text.endswith("\nhttps://grafana.example.net/")


def test_labels_for_the_sender_are_left_out_of_values() -> None:
    value = payload("grafana")
    value["alerts"][0]["valueString"] = "[ var='A' labels={__name__=up, __x=y, zone=us-1} value=1 ], [ var='B' labels={zone=x, __uid__=y} value=2 ]"
    text = say(value).text
    assert "[ var='A' labels={zone=us-1} value=1 ], [ var='B' labels={zone=x} value=2 ]" in text


def test_without_annotations_the_labels_tell() -> None:
    value = group()
    value["alerts"] = [{"status": "firing", "labels": {"alertname": "X", "job": "node", "disk": "sda"}}]
    assert "🔥 alertname=X, disk=sda\n" in say(value).text
    value["alerts"] = [{"status": "firing", "labels": {"alertname": "X", "instance": "web1"}}]
    assert "🔥 web1: alertname=X\n" in say(value).text


def test_labels_for_the_sender_and_ends_of_firing_alerts_are_not_said() -> None:
    for name in ("alertmanager", "grafana"):
        said = say(payload(name)).text
        assert "__" not in said
        assert "2026-11-29" not in said
        assert "0001-01-01" not in said


def test_those_that_are_not_shown_are_counted() -> None:
    said = say(group(14, truncatedAlerts=3))
    assert "\n7 more are not shown.\n" in said.text
    assert sum(line[:1] in "🔥✅" for line in said.text.splitlines()[1:]) == 10
    assert "\n16 more are not shown.\n" in say(group(14, truncatedAlerts=3), settings_alerts=1).text


def test_resolved_with_cut_off_alerts_ends_nothing() -> None:
    value = group(status="resolved", truncatedAlerts=2)
    for alert in value["alerts"]:
        alert["status"] = "resolved"
    said = say(value)
    assert said.text.startswith("⚠️ *RESOLVED DiskFull* (3 resolved, others may still fire)\n")
    assert not said.ends
    assert say({**value, "truncatedAlerts": 0}).ends


def test_the_state_is_that_of_all_alerts_in_any_order() -> None:
    value = group()
    first = say(value).state
    value["alerts"].reverse()
    assert say(value).state == first
    value["alerts"][0]["status"] = "resolved"
    assert say(value).state != first


@pytest.mark.parametrize("value", [{"alerts": []}, {"alerts": "x"}, {"state": "x"}, {"alerts": [1]}])
def test_no_alert_is_lost_over_its_shape(value: Any) -> None:
    assert say(value, format="alertmanager").text.startswith("```\n")
    assert say({**value, "message": "own"}, format="grafana").text == "own"
    assert say("own", format="grafana").text == "own"
