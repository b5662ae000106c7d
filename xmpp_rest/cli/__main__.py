"""`xmpp-restctl`: what needs no gateway is answered before anything else is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from xmpp_rest.cli.overview import OVERVIEW, TOOL
from xmpp_rest.cli.streams import ended, one_line

FAILED = 1
HELP = (["help"], ["--help"], ["-h"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code of the process: see `restctl.main`."""
    words = list(sys.argv[1:] if argv is None else argv)
    return ended(partial(_run, words), partial(_fail, verbose="-v" in words or "--verbose" in words))


def _run(words: list[str]) -> int:
    if words == ["--version"]:  # with a number behind it, it is the version of a command
        from xmpp_rest import __version__

        print(f"{TOOL} {__version__}")
        return 0
    if words in HELP:
        print(OVERVIEW, end="")
        return 0
    from xmpp_rest.cli import restctl

    return restctl.main(words)


def _fail(error: Exception, *, verbose: bool) -> int:
    if verbose:
        import traceback

        traceback.print_exception(error)
    said = (isinstance(error, OSError) and error.strerror) or f"a fault of {TOOL} itself: {type(error).__name__}: {error}; -v says where"
    print(f"Error: {one_line(said)}", file=sys.stderr)
    return FAILED


def after(before: Sequence[str], words: Sequence[str]) -> int:
    """`xmpp-rest ctl`, with the options before it; the exit code."""
    return main([*before, *words])


if __name__ == "__main__":
    sys.exit(main())
