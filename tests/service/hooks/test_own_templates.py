"""Templates of hooks and of the administrator's folder (hooks §7.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.service.hooks.saying_cases import payload, say
from xmpp_rest.config.hook_readers import FORMATS
from xmpp_rest.service.hooks.said import Kind, NothingToSay
from xmpp_rest.service.hooks.sandbox.errors import BadTemplate
from xmpp_rest.service.hooks.template_files import check_template

VALUE = {"title": "Backup", "text": "failed\nagain", "url": "https://x.example/", "a": {"b": [1, 2]}, "items": ["x"], "null": None}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ title }}|{{ text }}|{{ url }}|{{ payload.a.b[1] }}", "Backup|failed\nagain|https://x.example/|2"),
        ("{{ hook.name }} {{ hook.nick }} {{ query.q }} {{ headers['x-a'] }}", "ops Ops 1 A"),
        ("x{{ payload.nothing }}{{ payload.nothing.at.all }}{{ nothing.at[0].all }}{{ payload.null }}{{ payload.null.x }}{{ payload.title.x }}", "x"),
        ("{{ payload.items[0] }} {{ payload.a.items() | list }}", "x [('b', [1, 2])]"),
        ("{{ text | quote }}", "> failed\n> again"),
        ("{{ text | first_line }}", "failed"),
        ("{{ text | cut(4) }}", "fai…"),
        ("{{ '<https://x.example/|log> &amp;' | slack }}", "log (https://x.example/) &"),
        ("{{ payload.a | tojson }}", '{"b": [1, 2]}'),
        ("{{ payload.a.b | join(', ') }} {{ payload.a.b | sum }} {{ [{'n': 'x'}] | map(attribute='n') | first }}", "1, 2 3 x"),
        ("{% for n in payload.a.b %}{{ loop.index }}:{{ n * 2 }}{% if not loop.last %}, {% endif %}{% endfor %}", "1:2, 2:4"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('a') }}{% set n = namespace(c=0) %}{% for i in range(3) %}{% set n.c = n.c + i %}{% endfor %}{{ n.c }}", "<a>3"),
        ("{{ '%s-%03d' % ('a', 7) }} {{ '{:>3}'.format('b') }} {{ 'c' ~ 1 }} {{ 'abc'[::-1] }} {{ 'A,B'.lower().split(',') | last }}", "a-007   b c1 cba b"),
        ("{{ payload.title == 'Backup' and 'a' in payload and 1 in payload.a.b and payload.a.b | length > 1 }}", "True"),
        ("{{ payload.nothing | default('none') }} {{ payload.title | upper | replace('A', 'O') }}", "none BOCKUP"),
        ("{% for g in [{'k': 1}, {'k': 2}, {'k': 1}] | groupby('k') %}{{ g.grouper }}:{{ g.list | length }} {% endfor %}", "1:2 2:1"),
        ("{{ [1, 2, 3] | slice(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }}", "[[1, 2], [3]] [[1, 2], [3, 0]]"),
        ("{% for x in [[1, [2]]] recursive %}{{ x if x is number else loop(x) }}{% endfor %}", "12"),
    ],
)  # fmt: skip
def test_names_and_filters(template: str, text: str) -> None:
    said = say(VALUE, {"X-A": "A"}, query={"q": "1"}, template=template, nick="Ops", format="json")
    assert (said.text, said.template_error) == (text, "")


def test_names_of_alerts() -> None:
    template = "{{ state }} {{ key }} {{ hidden }} {% for a in alerts %}{{ a.labels.instance }} {% endfor %}"
    assert say(payload("alertmanager"), template=template).text == 'firing {}:{alertname="DiskFull"} 0 web1 web2 web3'
    assert say(payload("alertmanager"), template=template, settings_alerts=2).text == 'firing {}:{alertname="DiskFull"} 1 web1 web2'


@pytest.mark.parametrize(
    "template", ["{{ 1 / 0 }}", "{{ 'x' * 1000000000 }}", "{{ nothing() }}", "{% if %}", "@nothing", "@../secret", "{% include 'x' %}"]
)
def test_a_template_that_fails_loses_nothing(template: str) -> None:
    said = say(VALUE, template=template, format="json")
    assert said.text == "*Backup*\nfailed\nagain\nhttps://x.example/"
    assert said.template_error
    assert "\n" not in said.template_error


def test_a_template_that_says_nothing_is_silent() -> None:
    said = say(VALUE, {"X-Hook-Key": "k"}, template="{% if payload.none %}x{% endif %} \n\t")
    assert (said.kind, said.key) == (Kind.SILENT, "k")
    with pytest.raises(NothingToSay):
        say({}, template="x")


def test_templates_of_the_folder(tmp_path: Path) -> None:
    options: dict[str, Any] = {"settings_templates": str(tmp_path), "format": "json"}
    (tmp_path / "json.txt").write_text("own {{ title }}")
    (tmp_path / "short.txt").write_text("short {{ title }}")
    assert say(VALUE, **options).text == "own Backup"
    assert say(VALUE, **options, template="@short").text == "short Backup"
    assert say(VALUE, **options, template="@short.txt").text == "short Backup"
    assert say(VALUE, **options, template="@text").text == "failed\nagain"
    assert say(VALUE, **options, template="{{ 1/0 }}").text.startswith("*Backup*")
    (tmp_path / "json.txt").write_text("{% if %}")
    said = say(VALUE, **options)
    assert said.text.startswith("*Backup*")
    assert "line 1" in said.template_error
    (tmp_path / "json.txt").write_bytes(b"\xff")
    assert "UTF-8" in say(VALUE, **options).template_error
    (tmp_path / "json.txt").write_text("x" * 8193)
    assert "8192" in say(VALUE, **options).template_error


@pytest.mark.parametrize("name", ["../secret", "..", ".", "", "a/b", "/etc/passwd", "secret.txt\x00", "x" * 300, "secret"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "inside").mkdir()
    with pytest.raises(BadTemplate):
        check_template(f"@{name}", str(tmp_path / "inside"))


def test_what_cannot_be_parsed_names_its_line() -> None:
    with pytest.raises(BadTemplate, match=r"^line 2: ") as raised:
        check_template("x\n{{ y")
    assert raised.value.line == 2
    with pytest.raises(BadTemplate, match="line 3"):
        check_template("x\n\n{{ y | nofilter }}")


@pytest.mark.parametrize("name", FORMATS)
def test_each_shipped_template_is_within_the_bounds_of_others(name: str) -> None:
    check_template(f"@{name}")


def test_shipped_templates_say_long_texts(tmp_path: Path) -> None:
    assert say("x" * 3_000_000).text.endswith("(2995000 more characters)")
    assert "20000" in say("x" * 30_000, template="{{ text }}").template_error
