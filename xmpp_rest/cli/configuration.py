"""The configuration of a command of `xmpp-rest`."""

from __future__ import annotations

import argparse
import logging
import sys

from xmpp_rest.config.find import find_config
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings


def say_what_happens() -> None:
    """For -v: print what would go to a log."""
    logging.basicConfig(level=logging.INFO, format="xmpp-rest: %(message)s", stream=sys.stderr)


def load(options: argparse.Namespace) -> Settings:
    """The settings that the options lead to; with -v, they are named. Raises SettingsError."""
    settings = load_settings(find_config(options.config))
    from xmpp_rest.api.commands import registry  # takes a while, and a mistake above is said without it
    from xmpp_rest.cli.gateway import say_place
    from xmpp_rest.config.check import require_sense
    from xmpp_rest.service.hooks.template_files import check_template

    require_sense(settings, registry(), check_template)
    say_place(settings, "xmpp-rest", asked=options.verbose)
    return settings
