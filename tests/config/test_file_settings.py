"""The settings of files: what is read, what is wrong, and what a check remarks (files §1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmpp_rest.__main__ import main
from xmpp_rest.config.load import load_settings, read_settings

ALONE = "[server]\nbind = 127.0.0.1:0\n[gateway]\ndomain = gw.example\n"
LINKED = f"{ALONE}[link]\nkind = component\nsecret = sesame\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "wsgi.ini"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_the_defaults() -> None:
    settings = load_settings(None, {"XMPP_REST_GATEWAY_DOMAIN": "gw.example"})
    files = settings.files
    assert (files.domain, files.service, files.access, files.max_size, files.quota, files.quota_total) == (
        "gw.example", "", ("account",), 100 << 20, 1 << 30, 10 << 30,
    )  # fmt: skip
    assert (files.expire, files.slot_seconds, files.folder, files.fetch, files.fetch_hosts, files.fetch_timeout) == (604800, 300, "files", False, (), 30)
    assert files.inline == ("image/*", "video/*", "audio/*", "text/plain")
    assert settings.domains == ["gw.example", "muclight.gw.example", "conference.gw.example"]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("access", "account, Romeo@Montague.example, *@Capulet.example all, all", ("account", "romeo@montague.example", "capulet.example", "all")),
        ("inline", "", ()),
        ("inline", "Image/PNG, text/*", ("image/png", "text/*")),
        ("fetch_hosts", "*.Example.net, [::1]:8080", ("*.example.net", "[::1]:8080")),
        ("domain", "", ""),
        ("domain", "upload.gw.example", "upload.gw.example"),
    ],
)
def test_what_is_read(key: str, text: str, value: object, tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, f"{ALONE}[files]\n{key} = {text}\n"), {})
    assert getattr(settings.files, key) == value


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("access =", "write one or more of account"),
        ("access = romeo@montague.example/x", "without a resource"),
        ("access = *@a@b", "*@ and a domain"),
        ("inline = image", "image/*"),
        ("fetch_hosts = http://x", "files.example.net"),
        ("max_size = 0", "whole number"),
        ("domain = a b", "gateway.example.net"),
    ],
)
def test_what_is_wrong(line: str, remedy: str, tmp_path: Path) -> None:
    (problem,) = read_settings(written(tmp_path, f"{ALONE}[files]\n{line}\n"), {}).problems
    assert f"[files] {line.partition(' ')[0]}" in problem
    assert remedy in problem


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (f"{ALONE}[files]\ndomain = elsewhere.example\n", 78, "[files] domain = 'elsewhere.example': write gw.example, or a domain below it"),
        (f"{ALONE}[files]\ndomain = muclight.gw.example\n", 78, "[files] domain = 'muclight.gw.example': is a domain of rooms"),
        (LINKED, 0, "remark: [server] public_url: is not set, so links to files will begin with http://127.0.0.1:0,"),
        (f"{ALONE}[files]\nservice = upload.example\n", 0, "remark: [files] service: is not asked, as gw.example has an upload service"),
        (f"{ALONE}[files]\nfolder = HERE/wsgi.ini/x\n", 0, "remark: [files] folder = HERE/wsgi.ini/x: HERE/wsgi.ini is a file"),
    ],
)
def test_what_a_check_says(more: str, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, more.replace("HERE", str(tmp_path)))
    assert main(["check", "--config", str(path)]) == code
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith(f"xmpp-rest: {says}".replace("HERE", str(tmp_path)))
    assert code or "would keep files in " in printed.out


def test_a_check_without_remarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = LINKED.replace("[server]\n", "[server]\npublic_url = https://gw.example\n")
    assert main(["check", "--config", str(written(tmp_path, f"{text}[files]\ndomain = upload.gw.example\n"))]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "would host gw.example, muclight.gw.example, conference.gw.example, upload.gw.example\n" in printed.out
    assert f"would keep files in {tmp_path}/data/files, and take uploads at upload.gw.example from account\n" in printed.out
