"""The verbs of `xmpp-rest`: help, words, and what runs each. Nothing is imported before it runs: `--help` is as fast as Python."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from xmpp_rest.cli.arguments import cluster, completion, hooks, messages, start, storage, tokens
from xmpp_rest.cli.parser import Parser
from xmpp_rest.gateway.exit_codes import Exit

if TYPE_CHECKING:
    from xmpp_rest.config.table import Settings

Load = Callable[[], "Settings"]
"""Reads the configuration, and checks it. Raises SettingsError."""


class Verb(NamedTuple):
    """One verb. `runs`: module and function, which gets `Load` and the parsed words and returns the exit code."""

    help: str
    runs: str
    arguments: Callable[[argparse.ArgumentParser], None] = lambda _: None  # adds them
    wrong: int = Exit.USAGE  # the exit code for wrong words

    def run(self, load: Load, options: argparse.Namespace) -> int:
        """Run it; the exit code. Raises what `failures.told` knows."""
        module, _, name = self.runs.partition(":")
        return int(getattr(import_module(module), name)(load, options))


VERBS = {
    "run": Verb("serve until told to stop (the default)", "xmpp_rest.cli.run:run"),
    "check": Verb("validate the configuration, try what it needs, and say what it would do", "xmpp_rest.cli.check:run"),
    "init": Verb("write a configuration, and make folder, storage and administrator", "xmpp_rest.cli.init:run", start.add_init),
    "backup": Verb("keep configuration, data and storage in one file", "xmpp_rest.cli.backup:back_up", storage.add_backup),
    "restore": Verb("restore what `backup` has kept", "xmpp_rest.cli.backup:restore", storage.add_restore),
    "export": Verb("export the accounts for another server", "xmpp_rest.cli.exporting:run", storage.add_export),
    "import": Verb("import what another server has stored", "xmpp_rest.cli.importing:run", storage.add_import),
    "migrate": Verb("copy a storage to another one", "xmpp_rest.cli.migrate:run", storage.add_migrate),
    "prune": Verb("remove now what archives have kept for as long as [archive] keep says", "xmpp_rest.cli.prune:run"),
    "send": Verb("send a message; the exit code tells what became of it", "xmpp_rest.cli.send:run", messages.add_send),
    "listen": Verb("print what reaches an account, or run a program for each message", "xmpp_rest.cli.listen:run", messages.add_listen),
    "status": Verb("say whether the gateway runs and is ready, and what it does", "xmpp_rest.cli.status:run", messages.add_status),
    "cluster": Verb("list the nodes of a cluster and who owns what, or change that", "xmpp_rest.cli.cluster:run", cluster.add_cluster),
    "token": Verb("make, list and revoke tokens for scripts", "xmpp_rest.cli.token:run", tokens.add_token),
    "hook": Verb("make and manage incoming hooks", "xmpp_rest.cli.hook:run", hooks.add_hook, hooks.WRONG_USAGE),
    "completion": Verb("print the completion of both programs for a shell", "xmpp_rest.cli.completion:run", completion.add_completion),
}
DEFAULT = "run"
FORMER = {"serve": "run"}
"""Former names, which are not listed."""


class RawVerb(NamedTuple):
    """A verb that reads the words after it by itself. `runs` gets the words before it and those after it."""

    help: str
    runs: str

    def run(self, before: Sequence[str], words: Sequence[str]) -> int:
        """Run it; the exit code. Raises what `failures.told` knows."""
        module, _, name = self.runs.partition(":")
        return int(getattr(import_module(module), name)(before, words))


RAW = {
    "ctl": RawVerb("run a command of /api; the same as xmpp-restctl", "xmpp_rest.cli.__main__:after"),
}


def make_parser() -> Parser:
    """The parser of all verbs; `command` is the verb, None without one."""
    parser = Parser(
        prog="xmpp-rest",
        description="HTTP in front of XMPP, for any XMPP server.",
        epilog="Every setting is described in wsgi.ini, and can be given in the environment as XMPP_REST_<SECTION>_<KEY>.",
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    _add_common(parser, None, False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, verb in VERBS.items():
        _add_common(made := commands.add_parser(name, help=verb.help, wrong=verb.wrong), argparse.SUPPRESS, argparse.SUPPRESS)
        verb.arguments(made)
        for below in made.verbs.values():
            _add_common(below, argparse.SUPPRESS, argparse.SUPPRESS)
    for name, raw in RAW.items():
        commands.add_parser(name, help=raw.help, add_help=False)
    for name, present in FORMER.items():
        _add_common(made := commands.add_parser(name), argparse.SUPPRESS, argparse.SUPPRESS)
        VERBS[present].arguments(made)
    return parser


def _add_common(parser: argparse.ArgumentParser, no_file: Any, no: Any) -> None:
    """Add the options that stand before a verb or behind it; the values that they have if they are not given."""
    about = "the configuration (default: $XMPP_REST_CONFIG, or the first wsgi.ini that is found; docs/command-line.md says where)"
    parser.add_argument("--config", metavar="FILE", default=no_file, help=about)
    says = "say which configuration and which data folder are used, and what happens"
    parser.add_argument("-v", "--verbose", action="store_true", default=no, help=says)
    offline = "work on the storage although no gateway runs (send, token, hook, prune, ctl)"
    parser.add_argument("--offline", action="store_true", default=no, help=offline)


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from xmpp_rest import __version__

        print(f"{parser.prog} {__version__}")
        parser.exit()
