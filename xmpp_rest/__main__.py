"""`python -m xmpp_rest`, `xmpp-rest` and `python app.py`: the commands of the gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from drivers import StorageError
from drivers.lease import LeaseTaken
from drivers.migratecommand import run_cli
from xmpp_rest import __version__
from xmpp_rest.api.commands import registry
from xmpp_rest.application import find_config
from xmpp_rest.cli import __main__ as restctl
from xmpp_rest.cli import backup, exporting, importing, prune, send, serve
from xmpp_rest.cli.gateway import say_place, storage_remarks
from xmpp_rest.cli.token import token
from xmpp_rest.config.check import describe, remarks, require_sense
from xmpp_rest.config.load import SettingsError, load_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import problems

FLAGS = ("--offline", "--verbose", "-v")
OPTIONS = ("--config", *FLAGS, "--help", "-h", "--version")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    before = _options_before(words)
    name, *rest = words[len(before) :] or ["serve"]
    try:
        if name in OWN_WORDS:
            return OWN_WORDS[name](before, rest)
        parser = _parser()
        if name.startswith("-") and not any(option.startswith(name.partition("=")[0]) for option in OPTIONS):
            # argparse would call the word after it no command
            parser.error(f"there is no option {name}; settings are in the configuration: --config FILE")
        options = parser.parse_args(words)
        if options.command == "restore":  # to another folder, perhaps where there is no configuration yet
            return backup.restore(lambda: _settings(options.config), options)
        settings = _settings(options.config)
        say_place(settings, "xmpp-rest", asked=options.verbose or getattr(options, "offline", False))
        return COMMANDS[options.command or "serve"].run(settings, options)
    except (SettingsError, CannotStart) as e:
        return _say(*e.problems, code=e.code if isinstance(e, CannotStart) else Exit.CONFIG)
    except (StorageError, GatewayError) as e:
        code = Exit.TEMPFAIL if isinstance(e, LeaseTaken) else Exit.UNAVAILABLE
        return _say(e.text if isinstance(e, GatewayError) else str(e), code=code)
    except OSError as e:
        return _say(str(e), code=Exit.OSERR)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _say(*problems: str, code: Exit) -> int:
    for problem in problems:
        print(f"xmpp-rest: {problem}", file=sys.stderr)
    return code


def _options_before(words: list[str]) -> list[str]:
    """The options in front of the command."""
    end = 0
    while end < len(words) and (words[end] in FLAGS or words[end] == "--config"):
        end += 2 if words[end] == "--config" else 1
    return words[:end]


def _settings(config: str | None) -> Settings:
    settings = load_settings(find_config(config))
    require_sense(settings, registry())
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
    says = "say which configuration and which data folder are used"
    offline = "work on the storage although no gateway runs (send, token, prune, ctl)"
    for p, no_config, no in ((parser, None, False), (shared, argparse.SUPPRESS, argparse.SUPPRESS)):
        p.add_argument("--config", metavar="FILE", default=no_config, help=about)
        p.add_argument("-v", "--verbose", action="store_true", default=no, help=says)
        p.add_argument("--offline", action="store_true", default=no, help=offline)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.arguments(commands.add_parser(name, parents=[shared], help=command.help))
    backup.add_restore_arguments(commands.add_parser("restore", parents=[shared], help="restore what `backup` has kept"))
    for name, text in HELP_OF_OWN_WORDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _check(settings: Settings, _: argparse.Namespace) -> int:
    print(f"reads {settings.file or 'no file: the environment and the defaults count'}")
    for line in describe(settings):
        print(f"would {line}")
    for remark in (*remarks(settings), *storage_remarks(settings)):
        print(f"xmpp-rest: remark: {remark}", file=sys.stderr)
    found = list(problems(settings, beside=True))
    return _say(*(sentence for problem in found for sentence in problem.problems), code=found[0].code if found else Exit.DONE)


class Subcommand(NamedTuple):
    """One command of `xmpp-rest`."""

    run: Callable[[Settings, argparse.Namespace], int]
    help: str
    arguments: Callable[[argparse.ArgumentParser], None] = lambda _: None  # adds them


COMMANDS = {
    "serve": Subcommand(serve.run, "serve until told to stop (the default)"),
    "check": Subcommand(_check, "validate the configuration, try what it needs, and say what it would do"),
    "backup": Subcommand(backup.back_up, "keep configuration, data and storage in one file", backup.add_backup_arguments),
    "export": Subcommand(exporting.run, "export the accounts for another server", exporting.add_arguments),
    "import": Subcommand(importing.run, "import what another server has stored", importing.add_arguments),
    "prune": Subcommand(prune.run, "remove now what archives have kept for as long as [archive] keep says"),
    "send": Subcommand(send.run, "send a message; the exit code tells what became of it", send.add_arguments),
}


def _token(before: list[str], words: list[str]) -> int:
    options = _parser().parse_args(before)
    settings = _settings(options.config)
    say_place(settings, "xmpp-rest", asked=options.verbose or options.offline)
    printed = token(settings, words, options.offline, "xmpp-rest token")
    print(printed.text, end="")
    return printed.code


OWN_WORDS: dict[str, Callable[[list[str], list[str]], int]] = {
    "ctl": lambda before, words: restctl.main([*before, *words]),
    "migrate": lambda _, words: run_cli(words),
    "token": _token,
}
"""Commands that read their words themselves; options stand before them."""
HELP_OF_OWN_WORDS = {
    "ctl": "run a command of /api; the same as xmpp-restctl",
    "migrate": "copy a storage to another one",
    "token": "make a token for scripts",
}

if __name__ == "__main__":
    sys.exit(main())
