"""`xmpp-rest prune`: removes what archives have kept for long enough now, instead of within the hour."""

from __future__ import annotations

import argparse
import sys

from xmpp_rest.cli.gateway import alone, running
from xmpp_rest.cli.verbs import Load
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.service.messages.retention import Retention


def run(load: Load, options: argparse.Namespace) -> int:
    """Have the running gateway prune, or do so on its storage; the exit code. Raises SettingsError, StorageError, GatewayError, OSError."""
    settings = load()
    with running(settings) as gateway:
        if gateway:  # it knows the rooms that are in memory, and another writer would only be in its way
            try:
                done = gateway.call(Retention.prune)
            except ConnectionError as e:
                raise GatewayError("link-down", f"{e}; what it has not removed is removed within an hour of its next start") from e
        else:
            with alone(settings, options.offline) as itself:
                done = itself.parts.retention.prune()
    print(f"removed: {done.items} items of {done.archives} archives")
    if done.failed:
        print(f"xmpp-rest: {done.failed} archives could not be pruned; the log of the gateway says why", file=sys.stderr)
        return Exit.UNAVAILABLE
    return Exit.DONE
