"""How does the first administrator get in? By an account that is made at the first start."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts import Accounts

PASSWORD_FILE = "admin-password"  # in data_dir  # noqa: S105


def ensure_administrator(accounts: Accounts, admins: tuple[JID, ...], password: str, data_dir: Path) -> None:
    """Create the first of `admins` that is hosted here, unless one of them exists already; print a random password once.

    Raises GatewayError: bad-password.
    """
    hosted = [jid for jid in admins if jid.local and jid.domain == accounts.domain]
    if not hosted or any(accounts.exists(jid) for jid in hosted):
        return
    chosen = password or secrets.token_urlsafe(15)
    if not password:
        _keep(data_dir / PASSWORD_FILE, chosen)
    try:
        accounts.register(hosted[0], chosen)
    except GatewayError as e:
        if e.name == "account-exists":  # another process was first
            return
        raise
    if not password:
        print(f"The administrator {hosted[0]} was created; the password is in {data_dir / PASSWORD_FILE}: {chosen}", file=sys.stderr)


def _keep(path: Path, password: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # also where the file was there with wider rights
        file.write(f"{password}\n")
        file.flush()
        os.fsync(file.fileno())
