"""`python -m xmpp_rest`, `xmpp-rest` and `python app.py`: which of the gateway's commands is meant?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from drivers import StorageError
from xmpp_rest import __version__
from xmpp_rest.application import find_config, set_up_logging
from xmpp_rest.check import describe, require_sense
from xmpp_rest.configuration import SettingsError, load_settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway import Gateway
from xmpp_rest.settings import Settings

OK, FAILED, USAGE = 0, 1, 2  # exit codes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    options = _parser().parse_args(argv)
    try:
        settings = load_settings(find_config(options.config))
        require_sense(settings)
        return COMMANDS[options.command or "serve"](settings)
    except SettingsError as e:
        for problem in e.problems:
            print(f"xmpp-rest: {problem}", file=sys.stderr)
        return USAGE
    except (StorageError, GatewayError, OSError) as e:
        print(f"xmpp-rest: {e}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xmpp-rest",
        description="HTTP in front of XMPP, for any XMPP server.",
        epilog="Every setting is described in wsgi.ini, and can be given in the environment as XMPP_REST_<SECTION>_<KEY>.",
    )
    parser.add_argument("--version", action="version", version=f"xmpp-rest {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    about = "the configuration (default: $XMPP_REST_CONFIG, or wsgi.ini beside app.py)"
    for p, default in ((parser, None), (shared, argparse.SUPPRESS)):
        p.add_argument("--config", metavar="FILE", default=default, help=about)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", parents=[shared], help="serve until told to stop (the default)")
    commands.add_parser("check", parents=[shared], help="validate the configuration and say what it would do")
    return parser


def _check(settings: Settings) -> int:
    for line in describe(settings):
        print(f"would {line}")
    return OK


def _serve(settings: Settings) -> int:
    set_up_logging(settings.server.log_level)
    gateway = Gateway(settings)  # what cannot work is said here, once, not by every worker
    gateway.prepare()
    gateway.stop()

    from xmpp_rest.server import Server  # gunicorn takes a while to import, and only this command needs it

    Server(settings).run()
    return OK


COMMANDS = {"serve": _serve, "check": _check}

if __name__ == "__main__":
    sys.exit(main())
