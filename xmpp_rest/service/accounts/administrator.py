"""The first administrator: an account that is made at the first start."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts

log = logging.getLogger("xmpp_rest.auth")

PASSWORD_FILE = "admin-password"  # in data_dir  # noqa: S105
ASIDE = "admin-password.new"
"""The file with the password until the account exists; locked by the process that makes the account."""


def ensure_administrator(accounts: Accounts, admins: tuple[JID, ...], password: str, data_dir: Path) -> None:
    """Create the first of `admins` that is hosted here, unless one of them exists already.

    Tells where a random password is; the password itself is printed to a terminal alone.

    Any number of processes may do so at once: the file with the password never holds another one than the account has, even if a process
    dies in between. Raises GatewayError: bad-password.
    """
    hosted = [jid for jid in admins if jid.local and jid.domain == accounts.domain]
    aside = data_dir / ASIDE
    if not hosted or (any(accounts.exists(jid) for jid in hosted) and not aside.exists()):
        return
    with _locked(aside) as descriptor:
        if not any(accounts.exists(jid) for jid in hosted):
            chosen = password or secrets.token_urlsafe(15)
            if not password:
                _write(descriptor, f"{chosen}\n")
            try:
                accounts.register(hosted[0], chosen)
            except GatewayError as e:
                if e.name != "account-exists":  # by a process with another data folder
                    raise
            _remove_stale(accounts, hosted[0], data_dir / PASSWORD_FILE)
        _keep(accounts, hosted[0], descriptor, data_dir)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """A locked descriptor of the file, which still has this name. The file is removed at the end."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_at(descriptor, path):  # another process has moved it to its place
                continue
            os.fchmod(descriptor, 0o600)  # also if the file existed with wider rights
            try:
                yield descriptor
            finally:
                if _is_at(descriptor, path):
                    path.unlink()
            return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
    os.fsync(descriptor)


def _remove_stale(accounts: Accounts, admin: JID, kept: Path) -> None:
    """Remove the file of an earlier storage."""
    try:
        old = kept.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return
    if not accounts.check_password(admin, old):
        kept.unlink()


def _keep(accounts: Accounts, admin: JID, descriptor: int, data_dir: Path) -> None:
    """Give the file its final name if it holds the account's password."""
    chosen = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
    if chosen and accounts.check_password(admin, chosen):
        kept = data_dir / PASSWORD_FILE
        (data_dir / ASIDE).replace(kept)
        _sync(data_dir)
        if sys.stderr is not None and sys.stderr.isatty():  # a terminal forgets; a log does not
            print(f"The administrator {admin} was created; the password is in {kept}: {chosen}", file=sys.stderr)
        else:
            log.warning("the administrator %s was created; the password is in %s", admin, kept)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
