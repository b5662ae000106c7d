"""What is set for hooks is refused, naming section and key, where it cannot work (hooks §2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import describe, require_sense
from xmpp_rest.config.load import SettingsError, load_settings
from xmpp_rest.service.hooks.template_files import check_template

TOKEN = "hk_" + "a" * 27
OPS = f"[hook.ops]\ntoken = {TOKEN}\ntargets = nurse@capulet.example\n"


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    path = folder / "wsgi.ini"
    path.write_text(f"[gateway]\ndomain = capulet.example\n{text}")
    try:
        require_sense(load_settings(path, {f"XMPP_REST_{k}": v for k, v in environ.items()}), registry(), check_template)
    except SettingsError as e:
        return e.problems
    return []


@pytest.mark.parametrize(
    "more",
    [
        "", "owner = juliet@capulet.example\n", "format = uptime-kuma\n", "template = {{ text }}\n", "template = @text\n",
        "template_file = own.txt\n", "secret = hand in glove\nnick = Ops!\nrate = 6000\nupdate = yes\nget = yes\n",
    ],
)  # fmt: skip
def test_what_is_good(tmp_path: Path, more: str) -> None:
    (tmp_path / "own.txt").write_text("@here {{ text }}")
    assert problems(tmp_path, OPS + more) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[hook.ops]\ntargets = a@b.example\n", "[hook.ops] token: is missing"),
        ("[hook.ops]\ntoken = hk_short\ntargets = a@b.example\n", "[hook.ops] token = (hidden): must be hk_"),
        (f"[hook.ops]\ntoken = {TOKEN}\n", "[hook.ops] targets: is missing"),
        (OPS.replace("nurse@capulet.example", "@"), "[hook.ops] targets = '@'"),
        (OPS.replace("nurse@capulet.example", "nurse"), "[hook.ops] targets: 'nurse' is not an address"),
        (OPS.replace("nurse@capulet.example", "room:capulet.example"), "[hook.ops] targets"),
        (OPS + OPS.replace("hook.ops", "hook.dev"), "[hook.dev] token: is that of [hook.ops] too"),
        (OPS + OPS.replace("hook.ops", "hook.Ops").replace(TOKEN, f"hk_{'b' * 27}"), "[hook.Ops]: is the same hook as [hook.ops]"),
        (OPS.replace("hook.ops", "hook.hk_ops"), "[hook.hk_ops]: a hook's name"),
        (OPS.replace("hook.ops", "hook._ops"), "[hook._ops]: a hook's name"),
        (f"{OPS}format = xml\n", "[hook.ops] format = 'xml'"),
        (f"{OPS}rate = 6001\n", "[hook.ops] rate = '6001'"),
        (f"{OPS}rate = 0\n", "[hook.ops] rate = '0'"),
        (f"{OPS}owner = juliet@elsewhere.example\n", "[hook.ops] owner = 'juliet@elsewhere.example'"),
        (f"{OPS}secret = short\n", "[hook.ops] secret: must have 8 to 256 characters"),
        (f"{OPS}secret_file = empty.txt\n", "[hook.ops] secret_file = 'empty.txt': cannot be read: it is empty"),
        ("[hook.ops]\ntoken_file = empty.txt\ntargets = a@b.example\n", "[hook.ops] token_file = 'empty.txt': cannot be read: it is empty"),
        (f"{OPS}template = {{{{ x\n", "[hook.ops] template: line 1"),
        (f"{OPS}template = @none\n", "[hook.ops] template: there is no template 'none'"),
        (f"{OPS}template_file = none.txt\n", "[hook.ops] template_file: No such file"),
        (f"{OPS}template_file = latin.txt\n", "[hook.ops] template_file: it is not UTF-8 text"),
        (f"{OPS}template_file = long.txt\n", "[hook.ops] template_file: has more than 8192 characters"),
        (f"{OPS}template_file = bad.txt\n", "[hook.ops] template_file: line 2"),
        (f"{OPS}template_file = bad.txt\ntemplate = x\n", "[hook.ops] template_file: template is set too"),
        ("[hooks]\naddress = hooks@elsewhere.example\n", "[hooks] address = 'hooks@elsewhere.example'"),
        ("[hooks]\ntemplates = none\n", "[hooks] templates = 'none': there is no such folder"),
        ("[hooks]\nwho = nobody\n", "[hooks] who = 'nobody'"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, says: str) -> None:
    for name, content in (("empty.txt", b""), ("latin.txt", b"\xe9"), ("long.txt", b"x" * 8193), ("bad.txt", b"x\n{% if %}")):
        (tmp_path / name).write_bytes(content)
    (problem,) = problems(tmp_path, text)
    assert says in problem
    assert TOKEN not in problem


def test_the_environment_names_them(tmp_path: Path) -> None:
    assert problems(tmp_path, "", HOOK_OPS_TOKEN=TOKEN, HOOK_OPS_TARGETS="nurse@capulet.example", POST_MSG_PREFIX="/m") == []
    settings = load_settings(
        None, {"XMPP_REST_POST_MSG_PREFIX": "/m", "XMPP_REST_HOOK_OPS_TOKEN": TOKEN, "XMPP_REST_HOOK_OPS_TARGETS": "a@b.example"}
    )
    assert (settings.post_msg.prefix, settings.own_hooks["ops"].token) == ("/m", TOKEN)


def test_a_file_of_templates_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mine.txt").write_text("{{ text }}")
    assert problems(tmp_path, f"[hooks]\ntemplates = own\n{OPS}template = @mine\n") == []


def test_what_they_do_is_described(tmp_path: Path) -> None:
    (tmp_path / "wsgi.ini").write_text(OPS)
    lines = list(describe(load_settings(tmp_path / "wsgi.ini", {})))
    assert "send what comes by the URL of [hook.ops] to nurse@capulet.example" in lines
    assert TOKEN not in "".join(lines)
