"""A bot as people write them for Prosody's mod_rest: a Flask application that answers JSON with JSON and knows nothing of the gateway."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server


def bot(seen: list[dict[str, Any]], *, probe: bool = True) -> Flask:
    """The bot; `seen` gets what it is sent. `probe`: whether it answers OPTIONS by the format it likes."""
    app = Flask("bot")

    if probe:

        @app.route("/api", methods=["OPTIONS"])
        def options() -> Response:
            return Response(status=200, headers={"accept": "application/json"})

    @app.route("/api", methods=["POST"])
    def stanza() -> Response:
        data = request.json
        assert data is not None
        seen.append(data)
        if data["kind"] == "message" and "body" in data:
            return jsonify({"body": f"{data['from']} said {data['body']}"})
        if data["kind"] == "message" and data.get("state") == "composing":
            return jsonify({"state": "active"})
        if data["kind"] == "presence" and data["type"] == "subscribe":
            return jsonify({"kind": "presence", "type": "subscribed"})
        if data["kind"] == "iq" and data["type"] == "get":
            return _query(data)
        return Response(status=501)

    return app


def _query(data: dict[str, Any]) -> Response:
    if "ping" in data:
        return Response(status=204)
    if "version" in data:
        return jsonify({"version": {"name": "bot", "version": "1.0"}})
    if "disco" in data:
        identity = {"category": "client", "type": "bot", "name": "Friar Laurence"}
        return jsonify({"disco": {"identities": [identity], "features": ["urn:xmpp:ping"]}})
    return Response(status=501)


@contextmanager
def running(app: Flask) -> Iterator[str]:
    """Serve the application; the URL of its API."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
