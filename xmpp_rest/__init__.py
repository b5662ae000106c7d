"""xmpp-rest: HTTP in front of XMPP, for any XMPP server.

WSGI servers name `xmpp_rest:create_app()`. It is looked up when it is asked for: parts of the package need not import the whole.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "1.0.0"

if not TYPE_CHECKING:  # a type checker would believe that the package has every name

    def __getattr__(name):
        """`create_app`, with what it imports."""
        if name != "create_app":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(".application", __name__).create_app
