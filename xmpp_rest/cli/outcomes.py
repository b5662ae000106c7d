"""What `send` is told by its words, and what it tells: of each recipient the outcome, and the exit code for all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from xmpp_rest.cli.access import Answer, is_undecided
from xmpp_rest.cli.arguments.messages import address
from xmpp_rest.cli.streams import one_line
from xmpp_rest.gateway.exit_codes import CannotStart, Exit

RANK = (Exit.REFUSED, Exit.NOPERM, Exit.USAGE, Exit.DATAERR, Exit.UNAVAILABLE, Exit.TEMPFAIL, Exit.DONE)
"""Of several outcomes the first one here is the exit code."""
OF_STATUS = {**dict.fromkeys((400, 413, 415, 422), Exit.DATAERR), **dict.fromkeys((401, 403, 429), Exit.NOPERM)}
"""Statuses of /rest for what was not sent; the others are UNAVAILABLE."""


def words_of(options: argparse.Namespace) -> list[str]:
    """The words that are not options."""
    return [word for word in (options.recipient, options.text) if word is not None]


def addresses(word: str) -> list[str]:
    """What stands between commas. Raises CannotStart, USAGE."""
    try:
        return [str(address(part)) for part in word.split(",")]
    except argparse.ArgumentTypeError as e:
        raise CannotStart(Exit.USAGE, str(e)) from e


def sender_of(options: argparse.Namespace) -> str:
    """Who sends; "" where nobody is named."""
    return "" if options.sender is None else str(options.sender)


def tell(to: str, answer: Answer) -> Exit:
    """Print what has gone wrong; the exit code."""
    code = code_of(answer)
    error = answer.get("error", {})
    if code is Exit.TEMPFAIL:
        missing = "room has not shown" if answer.get("of_room") else "server has not confirmed"
        print(f"xmpp-rest send: {to}: it is kept; the {missing} it yet", file=sys.stderr)
    elif code is not Exit.DONE:
        why = error.get("context", {}).get("error")
        said = ": ".join(filter(None, (error.get("condition"), error.get("text"), why))) or answer["outcome"]
        print(f"xmpp-rest send: {to}: {one_line(said)}", file=sys.stderr)
    is_no_address = code is Exit.DATAERR and error.get("condition") in ("improper-addressing", "invalid-from")
    return Exit.USAGE if is_no_address else code  # the address was a word of the command line


def code_of(answer: Answer) -> Exit:
    """The exit code for what became of one stanza."""
    outcome = answer["outcome"]
    if is_undecided(answer):
        return Exit.TEMPFAIL
    if outcome == "answered":
        return Exit.REFUSED if answer["answer"].get("type") == "error" else Exit.DONE
    if outcome == "error":
        error = answer.get("error", {})
        refused = error.get("condition") == "not-acceptable" or "by" in error  # by a room
        return Exit.REFUSED if refused else OF_STATUS.get(answer.get("code", 0), Exit.UNAVAILABLE)
    return Exit.REFUSED if outcome == "refused" else Exit.DONE


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code for several."""
    return min(codes, key=RANK.index, default=Exit.DONE)
