"""`python -m xmpp_rest`, `xmpp-rest` and `python app.py`: which of the gateway's commands is meant?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from drivers import StorageError
from drivers.lease import Taken
from drivers.migratecommand import run_cli
from xmpp_rest import __version__
from xmpp_rest.application import find_config, set_up_logging
from xmpp_rest.check import describe, require_sense
from xmpp_rest.check_storage import storage_remarks
from xmpp_rest.configuration import SettingsError, load_settings
from xmpp_rest.ctl import __main__ as restctl
from xmpp_rest.ctl import send
from xmpp_rest.ctl.token import token
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway import Gateway
from xmpp_rest.settings import Settings

OK, FAILED, USAGE = 0, 1, 2  # exit codes
BUSY = 75  # EX_TEMPFAIL of sysexits.h: another gateway uses the storage


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    config = ["--config", words[1]] if words[:1] == ["--config"] and len(words) > 1 else []
    name, *rest = words[len(config) :] or ["serve"]
    if name in OWN_WORDS:
        return OWN_WORDS[name](config, rest)
    options = _parser().parse_args(words)
    try:
        return COMMANDS[options.command or "serve"].run(_settings(options.config), options)
    except SettingsError as e:
        for problem in e.problems:
            print(f"xmpp-rest: {problem}", file=sys.stderr)
        return USAGE
    except (StorageError, GatewayError, OSError) as e:
        print(f"xmpp-rest: {e}", file=sys.stderr)
        return BUSY if isinstance(e, Taken) else FAILED


def _settings(config: str | None) -> Settings:
    settings = load_settings(find_config(config))
    require_sense(settings)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xmpp-rest",
        description="HTTP in front of XMPP, for any XMPP server.",
        epilog="Every setting is described in wsgi.ini, and can be given in the environment as XMPP_REST_<SECTION>_<KEY>.",
    )
    parser.add_argument("--version", action="version", version=f"xmpp-rest {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    about = "the configuration (default: $XMPP_REST_CONFIG, or wsgi.ini beside app.py)"
    for p, default in ((parser, None), (shared, argparse.SUPPRESS)):
        p.add_argument("--config", metavar="FILE", default=default, help=about)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.arguments(commands.add_parser(name, parents=[shared], help=command.help))
    for name, text in HELP_OF_OWN_WORDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _check(settings: Settings, _: argparse.Namespace) -> int:
    for line in describe(settings):
        print(f"would {line}")
    for line in storage_remarks(settings):
        print(f"note: {line}")
    return OK


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    set_up_logging(settings.server.log_level)
    gateway = Gateway(settings)  # what cannot work is said here, once, not by every worker
    gateway.prepare()
    gateway.stop()

    from xmpp_rest.server import Server  # gunicorn takes a while to import, and only this command needs it

    Server(settings).run()
    return OK


def _nothing(_: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


class Command(NamedTuple):
    """One command of `xmpp-rest`."""

    run: Callable[[Settings, argparse.Namespace], int]
    help: str
    arguments: Callable[[argparse.ArgumentParser], None] = _nothing


COMMANDS = {
    "serve": Command(_serve, "serve until told to stop (the default)"),
    "check": Command(_check, "validate the configuration and say what it would do"),
    "send": Command(send.run, "send a message; the exit code tells what became of it", send.add_arguments),
}


def _ctl(config: list[str], words: list[str]) -> int:
    return restctl.main([*config, *words])


def _migrate(_: list[str], words: list[str]) -> int:
    return run_cli(words)


def _token(config: list[str], words: list[str]) -> int:
    try:
        printed = token(_settings(config[1] if config else None), words, "xmpp-rest token")
    except (SettingsError, StorageError) as e:
        print(f"xmpp-rest: {e}", file=sys.stderr)
        return USAGE if isinstance(e, SettingsError) else FAILED
    print(printed.text, end="")
    return printed.code


OWN_WORDS: dict[str, Callable[[list[str], list[str]], int]] = {"ctl": _ctl, "migrate": _migrate, "token": _token}
"""Commands that read their words themselves; `--config FILE` stands before them."""
HELP_OF_OWN_WORDS = {
    "ctl": "run a command of /api; the same as xmpp-restctl",
    "migrate": "copy a storage to another one",
    "token": "make a token for scripts",
}

if __name__ == "__main__":
    sys.exit(main())
