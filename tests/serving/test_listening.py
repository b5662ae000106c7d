"""Listening on several addresses, and on Unix sockets that others have left or still use."""

from __future__ import annotations

import errno
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.child import free_port
from xmpp_rest.config.binds import Bind, parse
from xmpp_rest.serving.listening import listen, refused, remove_left


def greets(address: tuple[str, int] | str) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as sock:
        sock.settimeout(30)
        return sock.connect_ex(address) == 0


def stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def living(path: Path, backlog: int = 8) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(backlog)
    return sock


def test_several_addresses(tmp_path: Path) -> None:
    port = free_port()
    binds = parse(f"0.0.0.0:{port}, [::]:{port}, unix:http.sock")
    assert list(refused(binds, tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
    sockets = listen(binds, tmp_path, 0o640)
    try:
        assert greets(("127.0.0.1", port))
        assert greets(("::1", port))
        assert greets(str(tmp_path / "http.sock"))
        assert stat.S_IMODE((tmp_path / "http.sock").stat().st_mode) == 0o640
        assert [e.errno for _, e in refused(binds, tmp_path)] == [errno.EADDRINUSE] * 3
        with pytest.raises(OSError, match="in use"):
            listen([Bind(path="other.sock"), *binds], tmp_path, 0o660)
    finally:
        for sock in sockets:
            sock.close()
    remove_left(tmp_path / "http.sock")
    assert not (tmp_path / "http.sock").exists()


def test_one_address_of_both_families(tmp_path: Path) -> None:
    (sock,) = listen(parse(f"[::]:{free_port()}"), tmp_path, 0o660)
    with sock:
        assert greets(("127.0.0.1", sock.getsockname()[1]))


def test_a_socket_that_was_left_is_replaced(tmp_path: Path) -> None:
    stale(tmp_path / "http.sock")
    binds = parse("unix:http.sock")
    assert list(refused(binds, tmp_path)) == []
    assert (tmp_path / "http.sock").exists()
    (sock,) = listen(binds, tmp_path, 0o660)
    with sock:
        assert greets(str(tmp_path / "http.sock"))


def test_a_socket_that_is_used_stays(tmp_path: Path) -> None:
    with living(tmp_path / "http.sock"):
        binds = parse("unix:http.sock")
        assert [e.errno for _, e in refused(binds, tmp_path)] == [errno.EADDRINUSE]
        with pytest.raises(OSError, match="in use"):
            listen(binds, tmp_path, 0o660)
        remove_left(tmp_path / "http.sock")
        assert greets(str(tmp_path / "http.sock"))


def test_a_socket_whose_program_is_busy(tmp_path: Path) -> None:
    with living(tmp_path / "http.sock", 0), socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "http.sock"))
        assert [e.errno for _, e in refused([Bind(path="http.sock")], tmp_path)] == [errno.EADDRINUSE]


def plain_file(path: Path) -> None:
    path.write_text("no socket")


REFUSALS: dict[str, tuple[str, Callable[[Path], None], int]] = {
    "a file": ("x.sock", plain_file, errno.ENOTSOCK),
    "no folder": ("gone/x.sock", lambda _: None, errno.ENOENT),
    "a long path": ("x" * 108, lambda _: None, errno.ENAMETOOLONG),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_path_where_no_socket_can_be(tmp_path: Path, case: str) -> None:
    path, prepare, error = REFUSALS[case]
    prepare(tmp_path / path)
    before = list(tmp_path.iterdir())
    assert [e.errno for _, e in refused([Bind(path=path)], tmp_path)] == [error]
    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize("host", ["gateway.invalid", "a..b", "x" * 70])
def test_a_name_without_address(tmp_path: Path, host: str) -> None:
    ((_, error),) = refused([Bind(host, 80)], tmp_path)
    assert isinstance(error, socket.gaierror)
