"""`xmpp-rest init [DIR]`: writes a configuration, and makes data folder, storage and administrator. All of it, or nothing."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from xmpp_rest.api.commands import registry
from xmpp_rest.cli.gateway import say_place
from xmpp_rest.cli.output import remark, write
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.manual import ini
from xmpp_rest.config.table import Settings
from xmpp_rest.config.texts import MAX_SECRET, setting_names
from xmpp_rest.gateway.data_folder import unwritable
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.startup import address_problems
from xmpp_rest.protocol.prep import PrepError, saslprep
from xmpp_rest.service.accounts.administrator import PASSWORD_FILE

FILE, DATA = "wsgi.ini", "data"
Values = dict[tuple[str, str], str]
"""(section, key) → value."""


def run(_: Load, options: argparse.Namespace) -> int:
    """Make a gateway's folder; the exit code. No other configuration is read. Raises CannotStart, SettingsError, StorageError, OSError."""
    folder = Path.cwd() / options.folder
    values = _values(options)
    password = _password(options.admin_password_file)
    _require_sense(values)
    _require_place(folder)
    is_new = not folder.exists()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise CannotStart(Exit.CANTCREAT, f"{folder}: cannot be made: {e.strerror}; choose another folder: xmpp-rest init DIR") from e
    try:
        with _scratch(folder) as scratch:
            settings = _make(scratch, values, password)
            _put(scratch, folder)
    except BaseException:
        if is_new:
            _remove_empty(folder)
        raise
    settings = load_settings(folder / FILE, {})
    say_place(settings, "xmpp-rest", asked=options.verbose)
    _say(settings, options, folder)
    return Exit.DONE


def _values(options: argparse.Namespace) -> Values:
    """What is given, as it is written in the file. Raises CannotStart."""
    values: Values = {}
    if options.domain:
        values["gateway", "domain"] = options.domain
    if options.bind:
        values["server", "bind"] = options.bind
    if bool(options.link) != bool(options.secret_file):
        raise CannotStart(Exit.USAGE, "--link and --secret-file go together: no XMPP server takes a component without a secret")
    if options.link:
        host, port = options.link
        values |= {("link", "kind"): "component", ("link", "host"): host, ("link", "port"): port}
        _secret(options.secret_file)
        values["link", "secret_file"] = str(options.secret_file)
    return values


def _password(path: Path | None) -> str:
    """The password in a file; "" for a random one. Raises CannotStart, OSError."""
    if path is None:
        return ""
    found = _secret(path)
    try:
        saslprep(found)
    except PrepError as e:
        raise CannotStart(Exit.DATAERR, f"{path}: this cannot be a password: {e}") from e
    return found


def _secret(path: Path) -> str:
    """The text that a file holds. Raises CannotStart, OSError."""
    if path.exists() and not path.is_file():
        raise CannotStart(Exit.NOINPUT, f"{path}: is not a file")
    try:
        with path.open(encoding="utf-8") as file:
            found = file.read(MAX_SECRET + 1).strip()
    except UnicodeDecodeError as e:
        raise CannotStart(Exit.DATAERR, f"{path}: is not UTF-8 text; write the secret alone into it") from e
    if not found or len(found) > MAX_SECRET:
        reason = f"has more than {MAX_SECRET} characters" if found else "is empty"
        raise CannotStart(Exit.DATAERR, f"{path}: {reason}; write the secret alone into it")
    return found


def _require_sense(values: Values) -> None:
    """Check the values as a file would be. Raises SettingsError."""
    environ = {f"XMPP_REST_{section}_{key}".upper(): value for (section, key), value in values.items()}
    require_sense(load_settings(None, environ), registry())


def _require_place(folder: Path) -> None:
    """Raise CannotStart if something is there already, or nothing can be made there."""
    file, data = folder / FILE, folder / DATA
    there = [path for path in (file, data) if os.path.lexists(path) and not (path == data and _is_empty(path))]
    if there:
        raise CannotStart(Exit.CANTCREAT, f"{', '.join(map(str, there))}: is there already; choose another folder: xmpp-rest init DIR")
    if sentence := unwritable(folder):
        raise CannotStart(Exit.CANTCREAT, f"{folder}: {sentence}")


def _is_empty(path: Path) -> bool:
    return not path.is_symlink() and path.is_dir() and not any(path.iterdir())


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder on the same file system, which is gone in the end."""
    scratch = Path(mkdtemp(prefix=".init.", dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make(scratch: Path, values: Values, password: str) -> Settings:
    """Make everything in a folder. Raises SettingsError, StorageError, GatewayError, OSError."""
    _write(scratch / FILE, ini(values))
    settings = load_settings(scratch / FILE, {})
    chosen = password or secrets.token_urlsafe(15)
    gateway = Gateway(replace(settings, auth=replace(settings.auth, admin_password=chosen)))
    try:
        gateway.parts.lease.join()
        gateway.prepare()
    finally:
        gateway.parts.lease.stop()
        gateway.stop()
    if not password:
        _write(scratch / DATA / PASSWORD_FILE, f"{chosen}\n")
    return settings


def _write(path: Path, text: str) -> None:
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _put(scratch: Path, folder: Path) -> None:
    """Move everything to its place, which nobody else has taken meanwhile, or nothing. Raises CannotStart."""
    try:
        (scratch / DATA).rename(folder / DATA)  # also in the place of an empty folder
        try:
            os.link(scratch / FILE, folder / FILE)
        except OSError:
            (folder / DATA).rename(scratch / DATA)
            raise
    except OSError as e:
        raise CannotStart(Exit.CANTCREAT, f"{folder}: {e.strerror}; nothing was changed") from e
    os.sync()


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # it is not empty, or gone: somebody else uses it
        return


def _say(settings: Settings, options: argparse.Namespace, folder: Path) -> None:
    administrator = settings.auth.admins[0]
    write(f"configuration: {folder / FILE}\n")
    where = Path.cwd() / options.admin_password_file if options.admin_password_file else folder / DATA / PASSWORD_FILE
    write(f"administrator: {administrator}; the password is in {where}\n")
    if settings.link.kind != "none":
        domains = ", ".join(settings.gateway.domains)
        write(f"components that the XMPP server needs, with this secret: {domains} (empty rooms_domain, conference_domain: no rooms)\n")
    program = f"xmpp-rest --config {shlex.quote(str(folder / FILE))}"
    write(f'next:\n  {program} run\n  {program} send {administrator} "Hello"\n')
    if names := setting_names():
        remark(f"{', '.join(names)}: in the environment, where it outranks the file")
    for problem in address_problems(settings, beside=True):
        remark("; ".join(problem.problems))
