"""The words of `hook`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xmpp_rest.cli.arguments.messages import add_url

FORMATS = (
    "auto", "text", "json", "form", "slack", "alertmanager", "grafana", "github", "gitea", "forgejo", "gitlab", "gotify", "apprise",
    "uptime-kuma", "ntfy",
)  # fmt: skip
"""As in `config/hook_readers.py`, which imports more."""
WRONG_USAGE = 2
"""The exit code for wrong words: those of `hook` are those of `xmpp-restctl`."""
CODES = "exit codes: 0 done, 1 refused, 2 wrong words, 3 no gateway, and no storage or no --offline."


def add_hook(parser: argparse.ArgumentParser) -> None:
    """Add the verbs below `hook`."""
    parser.description = "Make and manage incoming hooks, URLs by which other programs send messages, as an administrator."
    parser.epilog = CODES
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def verb(name: str, about: str) -> argparse.ArgumentParser:
        said = about[0].upper() + about[1:] + "."
        made: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=said, epilog=CODES, wrong=WRONG_USAGE)
        add_url(made)
        return made

    _add_add(verb("add", "make a hook, and print its URL and its token, which are shown once"))
    verb("list", "print name, owner, format and targets of all hooks, one a line, parted by tabs")
    verb("remove", "remove a hook").add_argument("name", metavar="NAME", help="the hook")
    token = verb("token", "make a new token for a hook, and print it as `hook add` does; the old one is no longer good")
    token.add_argument("name", metavar="NAME", nargs="?", help="the hook (default: none: a token to be written below a [hook.NAME])")
    test = verb("test", "send the message `Test of the hook NAME`, and print a line for each recipient")
    test.add_argument("name", metavar="NAME", help="the hook")
    about = "send this file as if it had been POSTed to the hook, instead of the test message"
    test.add_argument("--payload", metavar="FILE", type=Path, help=about)


def _add_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="its name: letters, digits, _ and -")
    to = "whom it sends to: a JID, or room:JID; may be given several times"
    parser.add_argument("--to", metavar="TARGET", action="append", required=True, help=to)
    parser.add_argument("--owner", metavar="JID", help="the account that it belongs to (default: [hooks] address)")
    how = f"how requests are read: {', '.join(FORMATS)} (default: auto: as they look)"
    parser.add_argument("--format", choices=FORMATS, default="auto", metavar="FORMAT", help=how)
    parser.add_argument("--template", metavar="TEMPLATE", help="what is said: Jinja, or @NAME, a file of [hooks] templates")
    parser.add_argument("--nick", metavar="NICK", help="how it is called in rooms (default: its name)")
    parser.add_argument("--rate", metavar="N", type=int, help="at most so many requests in a minute (default: [limits] hook)")
    secret = "a file with the key by which requests have to be signed"  # noqa: S105  # a help text
    parser.add_argument("--secret-file", metavar="FILE", type=Path, help=secret)
    parser.add_argument("--update", action="store_true", help="correct the message of what changes, instead of saying it again")
    parser.add_argument("--get", action="store_true", help="let GET send too, where the sender can do nothing else")
