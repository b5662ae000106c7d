"""The entry for servers that load a file: Phusion Passenger and hosting panels built on it, mod_wsgi (deploy/apache.conf).

It stands next to app.py, or below in deploy/. Libraries in the folder `vendor` there (`pip install --target vendor -r requirements.txt`)
come before those of the system: shared hosting has no virtual environment.
"""

import os
import sys
from urllib.parse import unquote_to_bytes

here = os.path.dirname(os.path.abspath(__file__))
checkout = here if os.path.exists(os.path.join(here, "app.py")) else os.path.dirname(here)
for folder in (checkout, os.path.join(checkout, "vendor")):
    if os.path.isdir(folder):
        sys.path.insert(0, folder)

from app import create_app  # noqa: E402


def decoding(app):
    """The application, behind a server that may leave PATH_INFO encoded, as Passenger 6 does. PEP 3333 wants it decoded."""

    def call(environ, start_response):
        sent = environ.get("REQUEST_URI", "").partition("?")[0].removeprefix(environ.get("SCRIPT_NAME", ""))
        if environ.get("PATH_INFO") == sent:
            environ["PATH_INFO"] = unquote_to_bytes(sent).decode("latin-1")
        return app(environ, start_response)

    return call


application = decoding(create_app())
