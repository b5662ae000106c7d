"""Writes what is generated for the command line (`make man`): manual pages in docs/man, and completions for bash and zsh.

They are made from the parser of `xmpp-rest`, the catalogue of commands and the table of settings, by argparse-manpage and shtab.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import shtab
from argparse_manpage.manpage import Manpage

from xmpp_rest import __version__
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.cli.restctl import OPTIONS
from xmpp_rest.cli.verbs import make_parser
from xmpp_rest.config.table import FAMILIES, SECTIONS, key_of, settings_of
from xmpp_rest.gateway.exit_codes import MEANINGS

ROOT = Path(__file__).parent.parent
MAN, COMPLETIONS = ROOT / "docs" / "man", ROOT / "xmpp_rest" / "cli" / "completions"
ASCII = str.maketrans({"…": "...", "–": "-", "—": "-", "’": "'", "→": "->", "·": "*", "×": "x"})  # what is translated
COMMANDS = "Commands of xmpp-rest"
LONG = re.compile(r"\S{40,}")
UNADJUSTED = ".ad l\n.nh"
"""Lines of different lengths, and no hyphens in names of options."""
CODES = {
    0: "done",
    1: "the command failed, or answered 1",
    2: "the number of arguments is wrong",
    3: "no command, no gateway, or no storage; the configuration is wrong",
}
EXAMPLES = {
    "xmpp-rest": [
        ("Write a configuration in a folder, and serve by it", "xmpp-rest init /srv/gateway\nxmpp-rest run --config /srv/gateway/wsgi.ini"),
        ("Send the end of a log, and know what became of it", "tail /var/log/backup.log | xmpp-rest send ops@example.net --subject backup"),
        ("Run a program for each message that comes", "xmpp-rest listen --account bot@gw.example.net --exec /usr/local/bin/answer"),
        ("Send at a gateway on another machine", "xmpp-rest send ops@example.net hello --url https://gw.example.net --token-file token"),
        ("Make a URL for alerts to a room", "xmpp-rest hook add ops --to room:ops@conference.example.net --format alertmanager"),
        ("Keep everything in one file", "xmpp-rest backup gateway.tar.gz"),
    ],
    "xmpp-restctl": [
        ("Make an account", "xmpp-restctl register juliet gw.example.net PASSWORD"),
        ("Make a room that lasts", "xmpp-restctl create_room_with_opts verona conference.gw.example.net gw.example.net persistent:true"),
        ("Read the help of a command", "xmpp-restctl help register"),
    ],
}


def plain(text: str) -> str:
    """A text for groff, in ASCII: nothing in it is a request."""
    escaped = text.translate(ASCII).replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in escaped.splitlines())


# -- pages


def page(parser: argparse.ArgumentParser, about: str, sections: dict[str, str]) -> str:
    """The manual page of a program, with further sections."""
    parser._manpage = [{"heading": heading, "content": content} for heading, content in sections.items()]  # type: ignore[attr-defined]
    data = {"project_name": "xmpp-rest", "version": __version__, "date": "\\&", "manual_title": COMMANDS, "description": about}
    with mock.patch.dict(os.environ, COLUMNS="100000"):  # argparse folds lines at hyphens, for the width of a terminal
        text = str(Manpage(parser, data)).translate(ASCII)
    head, _, rest = text.replace("POSITIONAL ARGUMENTS", "COMMANDS", 1).replace('"\\\\&"', '""').partition("\n")
    text = f"{head}\n{UNADJUSTED}\n{rest}"
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def exit_status(codes: dict[int, str]) -> str:
    """The section with the exit codes."""
    return "\n".join(f".TP\n.B {int(code)}\n{plain(meaning)}" for code, meaning in codes.items())


def examples(program: str) -> str:
    """The section with examples."""
    return "\n".join(f"{plain(about)}:\n.PP\n.RS\n.nf\n{plain(lines)}\n.fi\n.RE\n.PP" for about, lines in EXAMPLES[program])


def page_of_gateway() -> str:
    """xmpp-rest(1)."""
    named = {int(code): f"{meaning} ({code.name})" if code in range(64, 79) else meaning for code, meaning in MEANINGS.items()}
    variables = "\n".join(
        f".TP\n.B {name}\n{plain(about)}"
        for name, about in {
            "XMPP_REST_CONFIG": "the configuration, if --config does not name it",
            "XMPP_REST_URL, XMPP_REST_TOKEN, XMPP_REST_TOKEN_FILE": "a gateway on another machine, for send, listen, status and hook",
            "XMPP_REST_<SECTION>_<KEY>": "a setting, which outranks that of the file",
        }.items()
    )
    also = ".BR xmpp\\-restctl (1),\n.BR xmpp\\-rest.ini (5)"
    sections = {"exit status": exit_status(named), "environment": variables, "examples": examples("xmpp-rest"), "see also": also}
    return page(make_parser(), "HTTP in front of XMPP, for any XMPP server", sections)


def page_of_commands() -> str:
    """xmpp-restctl(1)."""
    sections = {
        "exit status": exit_status(CODES),
        "examples": examples("xmpp-restctl"),
        "see also": ".BR xmpp\\-rest (1),\n.BR xmpp\\-rest.ini (5)",
    }
    return page(commands_parser(), "run a command of a gateway", sections)


def page_of_settings() -> str:
    """xmpp-rest.ini(5)."""
    return "\n".join(_settings()) + "\n"


def _settings() -> Iterator[str]:
    yield f'.TH XMPP\\-REST.INI "5" "" "xmpp-rest {__version__}" "{COMMANDS}"'
    yield UNADJUSTED
    yield from (".SH NAME", "xmpp\\-rest.ini \\- the configuration of xmpp\\-rest", ".SH DESCRIPTION")
    yield plain(
        "A file of sections with keys, one setting a line, taken literally; lines that begin with # or ; are ignored."
        " It is the file that --config names, or XMPP_REST_CONFIG, or the first wsgi.ini that is there:"
        " in the current folder, in $XDG_CONFIG_HOME/xmpp-rest, in /etc/xmpp-rest."
    )
    yield ".PP"
    yield plain("Each setting can come from the environment too, as XMPP_REST_<SECTION>_<KEY>, which outranks the file.")
    yield plain("A secret can be kept in a file of its own, which KEY_file names. Relative paths are below the folder of the file.")
    for name, section in (SECTIONS | FAMILIES).items():
        yield from (f".SH [{plain(name + ('.NAME' if name in FAMILIES else ''))}]", plain(str(section.__doc__)))
        for field in settings_of(section):
            default = str(field.metadata["default"])
            yield from (".TP", f".B {plain(key_of(field))}", LONG.sub(_foldable, plain(str(field.metadata["doc"]))))
            yield LONG.sub(_foldable, plain(f"Default: {default or 'none'}"))
    yield from (".SH SEE ALSO", ".BR xmpp\\-rest (1),", ".BR xmpp\\-restctl (1)")


def _foldable(word: re.Match[str]) -> str:
    """A long word that may be folded behind its commas, slashes and dots."""
    return re.sub(r"([,/.])(?=.)", r"\1\:", word[0])


def commands_parser() -> argparse.ArgumentParser:
    """The words of `xmpp-restctl`, as argparse would have them."""
    about = "Runs a command in the running gateway, or with --offline on its storage."
    parser = argparse.ArgumentParser(prog="xmpp-restctl", description=about)
    for option, words in OPTIONS.items():
        if option == "--auth":
            parser.add_argument(option, nargs=words, metavar=("USER", "HOST", "PASSWORD"), help="run it as this account, with its rights")
        elif words:
            parser.add_argument(option, metavar=option[2:].upper(), help=ABOUT[option])
        elif option.startswith("--"):
            parser.add_argument(*(["-v", option] if option == "--verbose" else [option]), action="store_true", help=ABOUT[option])
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for definition in newest():
        about = definition.summary.replace("%", "%%")
        added = commands.add_parser(definition.name, help=about.partition(". ")[0], description=about, add_help=False)
        for name in definition.arg_names:
            added.add_argument(name, metavar=name.upper())
    commands.add_parser("help", help="the commands, or one of them", add_help=False).add_argument("topic", nargs="?")
    commands.add_parser("token", help="make, list and revoke tokens for scripts", add_help=False).add_argument("account")
    return parser


ABOUT = {
    "--config": "the configuration of the gateway",
    "--version": "the version of the command; the newest one by default",
    "--offline": "work on the storage although no gateway runs",
    "--verbose": "say which configuration and which data folder are used",
}


def newest() -> list[Definition]:
    """All commands, each in its newest version."""
    offered = [offer.definition for offer in registry().offers()]  # those of one name by version
    return sorted({definition.name: definition for definition in offered}.values(), key=lambda definition: definition.name)


# -- completions

PROGRAMS: dict[str, Callable[[], argparse.ArgumentParser]] = {"xmpp-rest": make_parser, "xmpp-restctl": commands_parser}
ZSH_TAIL = """
typeset -A opt_args

if [[ ${zsh_eval_context[-1]} == (loadautofunc|shfunc) ]]; then # found in fpath, and called as a function
  case $service in
    xmpp-restctl) _shtab_xmpp_restctl "$@" ;;
    *) _shtab_xmpp_rest "$@" ;;
  esac
else # read by source or eval
  compdef _shtab_xmpp_rest -N xmpp-rest
  compdef _shtab_xmpp_restctl -N xmpp-restctl
fi
"""


def bash() -> str:
    """The completion of both programs for bash."""
    return "\n".join(shtab.complete(make(), "bash") for make in PROGRAMS.values())


def zsh() -> str:
    """The completion of both programs for zsh, in one file."""
    parts = []
    for make in PROGRAMS.values():
        text = shtab.complete(make(), "zsh")
        parts.append(text[text.index("\n") + 1 : text.index("typeset -A opt_args")].strip() + "\n")
    return f"#compdef {' '.join(PROGRAMS)}\n\n" + "\n".join(parts) + ZSH_TAIL


FILES: dict[Path, Callable[[], str]] = {
    MAN / "xmpp-rest.1": page_of_gateway,
    MAN / "xmpp-restctl.1": page_of_commands,
    MAN / "xmpp-rest.ini.5": page_of_settings,
    COMPLETIONS / "xmpp-rest.bash": bash,
    COMPLETIONS / "xmpp-rest.zsh": zsh,
}
"""Generated file → what makes its text."""


def main() -> None:
    """Write all of them again."""
    for path, make in FILES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
