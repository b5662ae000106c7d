"""The floor of memory: an empty Flask application that imports what the gateway needs from others, served as the gateway is."""

from __future__ import annotations

import os
import sqlite3
import ssl

import cbor2
import defusedxml.ElementTree
import greenlet
import httptools
import xmpp
from flask import Flask, Response

from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.put_in_force import reread_for_new_processes
from xmpp_rest.serving.server import Server

PACKAGES = (sqlite3, ssl, cbor2, defusedxml.ElementTree, greenlet, httptools, xmpp)


def create_app() -> Flask:
    """One view at the gateway's path."""
    app = Flask("empty", static_folder=None)
    app.add_url_rule("/health", view_func=lambda: Response(status=200))
    return app


def main() -> None:
    app, settings = create_app(), load_settings(None, os.environ)
    Server(settings, lambda _, __: app, lambda _, __: None, lambda _: None, reread_for_new_processes).run()


if __name__ == "__main__":
    main()
