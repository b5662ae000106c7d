"""`xmpp-rest listen`: prints what reaches an account, or runs a program for each stanza; comes back after every interruption."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

from xmpp_rest.cli.access import GAP, Access, Deadline, Happened, Interrupted
from xmpp_rest.cli.access.choice import access
from xmpp_rest.cli.streams import as_json, printable
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit

FIRST_PAUSE, LAST_PAUSE = 0.2, 10.0  # seconds between two attempts to come back
MAX_VARIABLE = 100_000  # bytes of a variable of the environment, which Linux bounds to 128 KiB; standard input has all of it
PASSING = (Exit.UNAVAILABLE, Exit.TEMPFAIL)  # the gateway is not there, or has no place for another stream
VARIABLES = ("from", "to", "kind", "type", "id", "subject", "body")


def run(load: Load, options: argparse.Namespace) -> int:
    """Listen until the count or the time is reached; the exit code. Raises CannotStart, and what reading the configuration raises."""
    program = _program(options.exec)
    until, known = Deadline(options.timeout), cache(load)

    account = None if options.account is None else str(options.account.bare)
    reader = EventReader(lambda: access(known, options), account, options.since, until, options.verbose)
    told = 0
    with closing(iter(reader)) as events:
        for happened in islice(events, options.count):
            told += 1
            if program:
                _hand_over(program, happened)
            else:
                print(as_json(_as_object(happened)) if options.json else _as_line(happened), flush=True)
    return Exit.REFUSED if options.count is not None and told < options.count else Exit.DONE


Reach = Callable[[], AbstractContextManager[Access]]
"""Connects to the gateway."""


class EventReader:
    """The events of an account, over any number of connections: none is missing, and none comes twice."""

    def __init__(self, reach: Reach, account: str | None, since: str | None, until: Deadline, verbose: bool) -> None:
        """`account`: None for the default one; `since`: the id of an event, None to begin now."""
        self._reach = reach
        self._account = account
        self._until = until
        self._verbose = verbose
        self.last = since
        """The id of the last event."""

    def __iter__(self) -> Generator[Happened]:
        """Raises CannotStart where the gateway cannot be reached the first time, or no longer admits the reader."""
        was_there, pause = False, FIRST_PAUSE
        while self._until.left:
            try:
                for happened in self._events():
                    if not was_there or pause > FIRST_PAUSE:
                        self._say("listens")
                    was_there, pause = True, FIRST_PAUSE
                    if happened is GAP:
                        _warn(f"there is no event {self.last!r} any more; it goes on with what comes from now on")
                    elif happened is not None:
                        self.last = happened.id or self.last
                        yield happened
                    if not self._until.left:
                        return
            except (Interrupted, CannotStart) as e:
                if isinstance(e, CannotStart) and not (was_there and e.code in PASSING):
                    raise
                if not was_there:
                    raise CannotStart(Exit.UNAVAILABLE, str(e)) from e
                self._say(f"comes back in {pause:.1f} s: {e}")
            time.sleep(min(pause, self._until.left))
            pause = min(2 * pause, LAST_PAUSE)

    def _events(self) -> Iterator[Happened | None]:
        with self._reach() as gateway:
            if self.last is None:  # it is to be resumed even if nothing comes before an interruption
                self.last = gateway.last_id(self._account)
            yield from gateway.events(self._account, self.last, self._until)

    def _say(self, text: str) -> None:
        if self._verbose:
            _warn(text)


def _warn(text: str) -> None:
    print(f"xmpp-rest listen: {text}", file=sys.stderr, flush=True)


# -- what is printed


def _as_object(happened: Happened) -> dict[str, Any]:
    return happened.stanza | {"event_id": happened.id}


def _as_line(happened: Happened) -> str:
    """Time, sender and text; what is none of them is told in brackets. No character of others controls the terminal."""
    stanza = happened.stanza
    when = datetime.fromtimestamp(happened.when, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = stanza.get("body")
    if not isinstance(text, str):
        text = f"[{' '.join(str(stanza[name]) for name in ('kind', 'type', 'subject', 'status', 'unmappable') if stanza.get(name))}]"
    return f"{when} {printable(str(stanza.get('from', '')))} {printable(text)}"


# -- --exec


def _program(line: str | None) -> list[str]:
    """The program and its arguments, as a shell would split them; none is asked to. Raises CannotStart."""
    if line is None:
        return []
    try:
        words = shlex.split(line)
    except ValueError as e:
        raise CannotStart(Exit.USAGE, f"--exec: {line!r}: {e}") from e
    if not words:
        raise CannotStart(Exit.USAGE, "--exec: write a program, and its arguments behind it")
    if shutil.which(words[0]) is None:
        raise CannotStart(Exit.NOINPUT, f"--exec: there is no program {words[0]}")
    return words


def _hand_over(program: list[str], happened: Happened) -> None:
    """Run the program for one stanza, and wait for its end; its failure is said."""
    stanza = happened.stanza
    named = {f"XMPP_{name.upper()}": _variable(stanza.get(name)) for name in VARIABLES}
    whole = f"{json.dumps(_as_object(happened), ensure_ascii=False)}\n".encode()
    try:
        ran = subprocess.run(program, input=whole, env=os.environ | named, check=False)  # noqa: S603
    except OSError as e:
        _warn(f"--exec: {program[0]}: {e.strerror}")
        return
    if ran.returncode:
        _warn(f"--exec: {program[0]} ended with {ran.returncode} for the event {happened.id}")


def _variable(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text.replace("\0", "").encode()[:MAX_VARIABLE].decode(errors="ignore")
