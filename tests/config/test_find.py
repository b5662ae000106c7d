"""Which configuration is read, and which one is not trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xmpp_rest.config import find
from xmpp_rest.config.find import find_config
from xmpp_rest.config.load import SettingsError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A file at each place, in the order in which they count."""
    found = [tmp_path / name / "wsgi.ini" for name in ("here", "checkout", "home/xmpp-rest", "etc")]
    for path in found:
        path.parent.mkdir(parents=True)
        path.write_text("")
    (tmp_path / "checkout" / "app.py").touch()
    (tmp_path / "checkout" / "drivers").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(find, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(find, "SYSTEM", tmp_path / "etc")
    return found


def test_an_empty_name() -> None:
    """Such as that of a variable that is not set."""
    with pytest.raises(SettingsError, match="--config: it is empty; write the path of a file"):
        find_config("", {})


def test_the_order(places: list[Path]) -> None:
    environ = {"XDG_CONFIG_HOME": str(places[2].parent.parent), "XMPP_REST_CONFIG": "named"}
    assert find_config("given", environ) == Path("given")
    assert find_config(None, environ) == Path("named")
    environ["XMPP_REST_CONFIG"] = ""
    for path in places:
        assert find_config(None, environ) == path
        path.unlink()
    assert find_config(None, environ) is None


def test_a_folder_with_another_app_and_a_home(places: list[Path], tmp_path: Path) -> None:
    (tmp_path / "checkout" / "drivers").rmdir()
    places[0].unlink()
    (tmp_path / ".config").mkdir()
    (tmp_path / "home/xmpp-rest").rename(tmp_path / ".config/xmpp-rest")
    for environ in ({"HOME": str(tmp_path)}, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}):
        assert find_config(None, environ) == tmp_path / ".config/xmpp-rest/wsgi.ini"
    assert find_config(None, {}) == places[3]


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        find_config(None, environ)
    (sentence,) = caught.value.problems
    return sentence


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o602])
def test_what_others_may_write(places: list[Path], mode: int) -> None:
    places[0].chmod(mode)
    assert f"others may write it (mode {mode:o})" in refusal({})
    assert "--config" in refusal({})
    assert find_config(str(places[0]), {}) == places[0]
    places[0].chmod(0o644)
    assert find_config(None, {}) == places[0]


def test_a_checkout_whose_code_others_may_write_too(places: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the umask is 002: they need no configuration to run code of their own."""
    code = tmp_path / "checkout" / "find.py"
    code.touch()
    monkeypatch.setattr(find, "__file__", str(code))
    places[0].unlink()
    places[1].chmod(0o664)
    assert "others may write it" in refusal({})
    code.chmod(0o664)
    assert find_config(None, {}) == places[1]
    places[1].chmod(0o666)
    assert "others may write it" in refusal({})
    places[1].chmod(0o664)
    if os.geteuid() == 0:
        os.chown(places[1], 65534, 65534)
        assert "another user" in refusal({})
        os.chown(code, 65534, 65534)
        assert find_config(None, {}) == places[1]
    places[0].write_text("")
    places[0].chmod(0o664)
    assert "others may write it" in refusal({})


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_belongs_to_somebody_else(places: list[Path], what: str) -> None:
    if os.geteuid():
        pytest.skip("needs root, to give a file away")
    if what == "file":
        os.chown(places[0], 65534, 65534)
    else:
        places[0].unlink()
        places[0].symlink_to(places[1])
        assert find_config(None, {}) == places[0]
        os.chown(places[0], 65534, 65534, follow_symlinks=False)
    assert "belongs to another user (number 65534)" in refusal({})
    assert find_config(None, {"XMPP_REST_CONFIG": str(places[0])}) == places[0]


def test_a_link_to_nowhere(places: list[Path]) -> None:
    """It was meant, so no other one counts instead."""
    places[0].unlink()
    places[0].symlink_to("nowhere")
    assert "cannot be read: No such file" in refusal({})
