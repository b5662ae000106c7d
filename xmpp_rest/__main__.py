"""`python -m xmpp_rest`, `xmpp-rest` and `python app.py`: the commands of the gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from xmpp_rest.cli.parser import Parser
from xmpp_rest.cli.streams import ended, one_line
from xmpp_rest.cli.verbs import DEFAULT, FORMER, RAW, VERBS, make_parser
from xmpp_rest.gateway.exit_codes import Exit

if TYPE_CHECKING:
    from xmpp_rest.config.table import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return ended(partial(_run, make_parser(), words), partial(_fail, verbose="-v" in words or "--verbose" in words))


def _run(parser: Parser, words: list[str]) -> int:
    place = parser.index_of_verb(words)
    if place is not None and words[place] in RAW:
        parser.parse_args(words[:place])  # which ends the process if there is an unknown one
        return RAW[words[place]].run(words[:place], words[place + 1 :])
    options = parser.parse_args(words)
    name = FORMER.get(options.command, options.command) or DEFAULT
    if options.verbose and name != DEFAULT:  # which has a log
        from xmpp_rest.cli.configuration import say_what_happens

        say_what_happens()
    return VERBS[name].run(partial(_load, options), options)


def _load(options: argparse.Namespace) -> Settings:
    """Read the configuration; with what it needs, which some verbs need not import."""
    from xmpp_rest.cli.configuration import load

    return load(options)


def _fail(error: Exception, *, verbose: bool) -> int:
    from xmpp_rest.cli.failures import told

    known = told(error)
    code, sentences = known or (Exit.SOFTWARE, (f"a fault of xmpp-rest itself: {type(error).__name__}: {error}; -v says where",))
    if known is None and verbose:
        import traceback

        traceback.print_exception(error)
    for sentence in sentences:
        print(f"xmpp-rest: {one_line(sentence)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
