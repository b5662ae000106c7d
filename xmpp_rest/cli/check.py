"""`xmpp-rest check`: validates the configuration, tries what it needs, and says what the gateway would do. Makes nothing."""

from __future__ import annotations

import argparse
import sys

from xmpp_rest.cli.gateway import storage_remarks
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.check import describe, remarks
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import problems


def run(load: Load, _: argparse.Namespace) -> int:
    """Check; the exit code. Raises SettingsError, CannotStart."""
    settings = load()
    print(f"reads {settings.file or 'no file: the environment and the defaults count'}", flush=True)
    for line in describe(settings):
        print(f"would {line}")
    for remark in (*remarks(settings), *storage_remarks(settings)):
        print(f"xmpp-rest: remark: {remark}", file=sys.stderr)
    if found := list(problems(settings, beside=True)):
        raise CannotStart(found[0].code, *(sentence for problem in found for sentence in problem.problems))
    return Exit.DONE
