"""`xmpp-restctl [--config FILE] [--offline] [-v] [--version N] [--auth USER HOST PASSWORD] COMMAND [ARGUMENTS]` (commands-api §14)"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers import StorageError
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.groups.rooms import is_kept
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.commands.services import Services
from xmpp_rest.cli.gateway import alone, place, require_started, running, say_place
from xmpp_rest.cli.helping import Help
from xmpp_rest.cli.output import DONE, FAILED, UNREACHABLE, WRONG_USAGE, Printed, write
from xmpp_rest.cli.overview import USAGE
from xmpp_rest.cli.parser import nearest
from xmpp_rest.cli.runner import Runner, wrong_usage
from xmpp_rest.cli.token import token
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.find import find_config
from xmpp_rest.config.load import SettingsError, load_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart

HELP = ("help", "--help", "-h")


@dataclass
class CommandLine:
    """The parsed command line."""

    config: str | None = None
    version: str | None = None
    auth: list[str] | None = None
    offline: bool = False
    verbose: bool = False
    words: list[str] = field(default_factory=list)


class BadLine(ValueError):
    """An unknown option, one without its value, or a word that is not text."""


OPTIONS = {"--config": 1, "--version": 1, "--auth": 3, "--offline": 0, "--verbose": 0, "-v": 0}
"""Options before the command, and the number of words after each."""


def read_line(argv: Sequence[str]) -> CommandLine:
    """Parse options, then the command with its unconverted arguments. Raises BadLine."""
    line, words = CommandLine(), list(argv)
    if bad := next((word for word in words if not _is_text(word)), None):
        raise BadLine(f"{bad!a} is not UTF-8")
    while words and words[0].partition("=")[0] in OPTIONS:
        option, joined, value = words[0].partition("=")
        words[:1] = [option, value] if joined else [option]
        option, count = words[0], OPTIONS[words[0]]
        given = words[1 : count + 1]
        if len(given) < count:
            raise BadLine(f"{option} needs {count} word{'s' if count > 1 else ''} after it")
        setattr(line, {"-v": "verbose"}.get(option, option[2:]), given if count > 1 else given[0] if count else True)
        del words[: count + 1]
    if words and words[0].startswith("-") and words[0] not in HELP:
        option = words[0].partition("=")[0]
        raise BadLine(f"there is no option {option}; {nearest(option, [*OPTIONS])}")
    line.words = words
    return line


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # bytes that are not text: PEP 383
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code of the process: 0 done, 1 failed, 2 wrong usage, 3 no command, or no gateway and no storage."""
    try:
        line = read_line(sys.argv[1:] if argv is None else argv)
    except BadLine as e:
        print(f"Error: {e}\n{USAGE}", file=sys.stderr)
        return WRONG_USAGE
    if line.version is not None and not (line.version.isascii() and line.version.isdigit()):
        write(f'Invalid API version number: "{line.version}"\n')
        return FAILED
    offered = registry()
    version = None if line.version is None else min(int(line.version[:9]), offered.newest)
    return _command(line, offered, version)


def _command(line: CommandLine, offered: Registry, version: int | None) -> int:
    about = Help(offered, version)
    if not line.words:
        write(about.usage())
        return UNREACHABLE
    name, *words = line.words
    name = name if name in HELP else name.replace("-", "_")
    if name in HELP:
        write(about.about(words[0] if words else ""))
        return DONE
    if name != "token" and not offered.knows(name):
        write(f"Error: unknown command '{line.words[0]}'. Did you mean '{about.nearest(name)}'?\n")
        return FAILED
    try:
        settings = load_settings(find_config(line.config))
        require_sense(settings, offered)
        say_place(settings, "xmpp-restctl", asked=line.verbose or line.offline or sys.stderr.isatty())
        if name == "token":
            printed = token(settings, words, line.offline)
        else:
            printed = _run(settings, offered, (name, version, words, line.auth), line.offline)
    except (SettingsError, CannotStart, StorageError, GatewayError, OSError) as e:
        print(f"Error: {e.text if isinstance(e, GatewayError) else e}", file=sys.stderr)
        return UNREACHABLE
    write((about.of_command(name) + "\n" if printed.code == WRONG_USAGE else "") + printed.text)
    return printed.code


ABOUT_THE_PROCESS = ("status", "get_loglevel", "set_loglevel", "clear_cache", "unban_ip", "reload_config")
"""Commands that have no effect or answer without a running gateway."""
MAKING_ROOMS = ("create_room", "create_room_with_opts")
Call = tuple[str, int | None, list[str], list[str] | None]


def _run(settings: Settings, offered: Registry, call: Call, offline: bool) -> Printed:
    """Run a command in the running gateway, or, with `offline`, on its storage. Raises StorageError, GatewayError, OSError."""
    name, version, words, auth = call
    if wrong := wrong_usage(offered, name, version, words):
        return wrong
    with running(settings) as gateway:
        if gateway:
            return Printed(*gateway.call(Runner.run_line, name=name, version=version, words=words, auth=auth))
    if name in ABOUT_THE_PROCESS:
        require_started(settings)
        raise GatewayError("link-down", f"The gateway does not run ({place(settings)})")
    with alone(settings, offline) as itself:
        services = Services(itself, offered.names)
        printed = Runner(services, offered).run(*call)
        if name in MAKING_ROOMS and printed.code == DONE and not is_kept(services, words[0], words[1]):
            raise GatewayError("link-down", "The gateway does not run, and a room that is not persistent lasts no longer than the gateway")
        return printed
