"""`xmpp-rest run`: serves. A mistake in the configuration is said before anything else is imported."""

from __future__ import annotations

import argparse

from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit


def run(load: Load, _: argparse.Namespace) -> int:
    """Serve until told to stop; the exit code. Raises SettingsError, CannotStart."""
    settings = load()
    if not (settings.file or settings.given):
        where = "neither --config nor XMPP_REST_CONFIG names one, no wsgi.ini was found, and no setting is in the environment"
        raise CannotStart(Exit.CONFIG, f"there is no configuration: {where}; `xmpp-rest init` writes one")
    from xmpp_rest.cli.serve import serve

    return serve(settings)
