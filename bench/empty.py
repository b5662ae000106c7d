"""The floor: an empty Flask view, served by gunicorn with the gateway's own worker."""

from __future__ import annotations

from flask import Flask, Response

app = Flask("empty", static_folder=None)


@app.post("/")
def nothing() -> Response:
    """202, as a message gets."""
    return Response(status=202)
