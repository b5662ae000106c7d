"""The sockets that the gateway listens on, by `[server] bind`."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from xmpp_rest.config.binds import Bind

BACKLOG = 2048  # connections that wait to be taken, as gunicorn has it; the kernel's somaxconn is the bound
LONGEST_PATH = 107  # bytes (unix(7))


def handed_over() -> bool:
    """Whether the sockets come from the program before (gunicorn's SIGUSR2), or from systemd (sd_listen_fds(3))."""
    by_systemd = os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS", "0") != "0"
    return by_systemd or bool(os.environ.get("GUNICORN_FD"))


def refused(binds: Sequence[Bind], base: Path) -> Iterator[tuple[Bind, OSError]]:
    """Those of the addresses that cannot be listened on now, each with its error. Nothing is made; paths are relative to `base`.

    EADDRINUSE: another program listens there; ENOTSOCK: the file of that name is not a socket.
    """
    for bind in binds:
        try:
            if bind.path:
                _require_place(base / bind.path)
            else:
                _bound(bind, binds).close()
        except OSError as e:
            yield bind, e


def listen(binds: Sequence[Bind], base: Path, mode: int) -> list[socket.socket]:
    """Sockets that listen on all of them; Unix sockets with this mode, in place of what a program has left behind. Raises OSError."""
    with contextlib.ExitStack() as opened:
        sockets = []
        for bind in binds:
            sock = opened.enter_context(_bound_path(base / bind.path, mode) if bind.path else _bound(bind, binds))
            sock.listen(BACKLOG)
            sockets.append(sock)
        opened.pop_all()
    return sockets


def remove_left(path: str | Path) -> None:
    """Remove the file of a Unix socket on which nobody listens."""
    with contextlib.suppress(OSError):  # it is gone, or another program's by now
        _require_unused(Path(path))
        os.unlink(path)


def _bound(bind: Bind, binds: Sequence[Bind]) -> socket.socket:
    """A socket with this host and port. With an address of IPv4 at the same port beside it, one of IPv6 leaves that family to it."""
    try:
        family, _, _, _, address = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except UnicodeError as e:
        raise socket.gaierror(socket.EAI_NONAME, f"{bind.host!r} is not a name") from e
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just ended is not a hindrance
        if family == socket.AF_INET6:
            apart = any(other.port == bind.port and not other.path and not other.is_ipv6 for other in binds)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(apart))
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _bound_path(path: Path, mode: int) -> socket.socket:
    _require_place(path)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)  # not chmod afterwards: nobody is to connect in between
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _require_place(path: Path) -> None:
    """Whether a socket may be made there. Raises OSError."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, f"the path of a socket has at most {LONGEST_PATH} bytes; write a shorter one", str(path))
    _require_unused(path)
    os.stat(path.parent)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def _require_unused(path: Path) -> None:
    """Whether there is nothing, or a socket on which nobody listens. Raises OSError."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:  # there is somebody, who has no place for us
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
