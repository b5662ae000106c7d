"""Names and media types of files (files §2.1, §3.1)."""

from __future__ import annotations

import pytest

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.stanza import child
from xmpp_rest.service.files.names import clean_name, disposition, is_inline, media_type_of, url_name, usual_ending

INLINE = ("image/*", "video/*", "audio/*", "text/plain")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("rose.png", "rose.png"),
        ("a b.png", "a b.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a/b\\c.txt", "c.txt"),
        ("..", "file"),
        (".htaccess", "htaccess"),
        ("...x", "x"),
        (" .htaccess", "htaccess"),
        (". . x ", "x"),
        ("", "file"),
        ("/", "file"),
        ("a\0b\r\nc\x7f\x85.txt", "abc.txt"),
        ('say "x".txt', "say x.txt"),
        ("Re\u0301.txt", "R\u00e9.txt"),
        ("x\ufffey\ud800z", "xyz"),
        ("\u202egnp.exe", "\u202egnp.exe"),
        ("\U0001f339.png", "\U0001f339.png"),
        ('".."', "file"),
        ("e\0\u0301", "\u00e9"),
    ],
)
def test_names_are_made_harmless(given: str, name: str) -> None:
    assert clean_name(given) == name
    assert clean_name(name) == name
    assert serialise(child("name", name))
    assert "/" not in url_name(name)


@pytest.mark.parametrize("given", ["x" * 300 + ".tar.gz", "\u20ac" * 200 + ".jpeg", "\U0001f339" * 100, "a." + "b" * 300, "." * 300 + "x.png"])
def test_names_are_bounded_and_keep_their_ending(given: str) -> None:
    name = clean_name(given)
    assert len(name.encode()) <= 255
    assert name
    ending = given.rpartition(".")[2]
    assert len(ending) > 30 or name.endswith(f".{ending}") or "." not in name or "." not in given


def test_long_names_keep_all_that_fits() -> None:
    assert clean_name("\u20ac" * 200 + ".jpeg") == "\u20ac" * 83 + ".jpeg"
    assert clean_name("x" * 300) == "x" * 255


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ("image/png", "x", "image/png"),
        ("IMAGE/PNG", "x", "image/png"),
        ("text/plain; charset=utf-8; format=flowed", "x", "text/plain; charset=utf-8"),
        ('text/plain; charset="utf-8"', "x", "text/plain; charset=utf-8"),
        ("text/plain; charset=\"a b\"", "x", "text/plain"),
        ("text/html\r\nX: y", "x.png", "image/png"),
        ("image", "x.png", "image/png"),
        ("*/*", "rose.PNG", "image/png"),
        ("", "x", "application/octet-stream"),
        ("", "x.unknown", "application/octet-stream"),
        ("a/b/c", "a.svg", "image/svg+xml"),
        ("application/vnd.x+json", "x", "application/vnd.x+json"),
        ("", "https://x/y.html", "text/html"),
        ("", "x.tar.gz", "application/gzip"),
        ("", "drawing.SVGZ", "application/gzip"),
        ("", "voice.m4a", "audio/mp4"),
        ("", ".", "application/octet-stream"),
    ],
)
def test_the_media_type(given: str, name: str, expected: str) -> None:
    assert media_type_of(given, name) == expected


def test_what_browsers_may_show() -> None:
    assert is_inline("image/png", INLINE)
    assert is_inline("text/plain; charset=utf-8", INLINE)
    assert not is_inline("text/html", INLINE)
    assert not is_inline("image/svg+xml", INLINE)
    assert not is_inline("image/svg+xml", (*INLINE, "image/svg+xml"))
    assert not is_inline("Image/SVG+xml; charset=x", INLINE)
    assert is_inline("application/pdf", ("application/pdf",))


@pytest.mark.parametrize("kind", ["image/x+xml", "audio/x+xml", "text/html", "text/xml", "text/xsl", "text/javascript", "text/x-javascript1.5", "image/svg"])
def test_what_browsers_may_run_is_never_shown(kind: str) -> None:
    assert not is_inline(f"{kind}; charset=utf-8", (*INLINE, "text/*", kind))


def test_the_field_of_a_name() -> None:
    assert disposition("a b.png", inline=True) == "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png"
    assert disposition("\u20ac.txt", inline=False) == "attachment; filename=\"file.txt\"; filename*=UTF-8''%E2%82%AC.txt"
    assert disposition("\u20ac\\", inline=False).startswith("attachment; filename=\"file\";")


def test_usual_endings() -> None:
    assert usual_ending("image/png; x=y") == ".png"
    assert usual_ending("x/unknown") == ""
