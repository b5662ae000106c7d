"""The cost of the state machine: CPU time per request against plain Flask, in one run.

    python bench/state_machine.py [--rounds 400] [--batch 50]

Every variant answers a GET with the same small JSON through direct WSGI calls. Short batches of all variants are
interleaved, so that a busy machine slows all of them alike; the ratio of the minima is the number to watch, and must
stay at or below 1.15 for a plain view that returns the same dict.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from werkzeug.test import EnvironBuilder

sys.path.insert(0, str(Path(__file__).parents[1]))

from xmpp_rest.http.resource import Resource

DOCUMENT = {"a": 1}
TARGET = 1.15

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Thing(Resource):
    """The resource of http-state-machine §1.1."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "PUT"]

    def content_types_provided(self) -> list[tuple[str, Callable[[], object]]]:
        return [("application/json", self.to_json)]

    def to_json(self) -> dict[str, int]:
        return DOCUMENT


class ThingByMethod(MethodView):
    """The same through Flask's own class-based view."""

    def get(self, thing: str) -> ResponseReturnValue:
        return DOCUMENT


def plain(thing: str) -> ResponseReturnValue:
    return DOCUMENT


def plain_with_fields(thing: str) -> ResponseReturnValue:
    return DOCUMENT, {"Allow": "GET, HEAD, OPTIONS, PUT"}


def application(view: Callable[..., Any]) -> Application:
    app = Flask(__name__)
    app.add_url_rule("/thing/<thing>", view_func=view)
    return app.wsgi_app


def environ(accept: str | None) -> dict[str, Any]:
    builder = EnvironBuilder("/thing/1", headers=[("Accept", accept)] if accept else [])
    return builder.get_environ()


def run_batch(app: Application, request: dict[str, Any], size: int) -> float:
    """CPU time of one request in microseconds, averaged over a batch."""
    start = time.process_time_ns()
    for _ in range(size):
        for _block in app(dict(request), discard):
            continue
    return (time.process_time_ns() - start) / size / 1000


def discard(status: str, headers: list[tuple[str, str]]) -> None:
    assert status == "200 OK"


def measure(rounds: int, batch: int) -> dict[str, list[float]]:
    bare, browser = environ(None), environ("text/html;q=0.8, application/json, */*;q=0.1")
    variants = {
        "plain view": (application(plain), bare),
        "plain view, same fields": (application(plain_with_fields), bare),
        "MethodView": (application(ThingByMethod.as_view("thing")), bare),
        "Resource": (application(Thing.as_view("thing")), bare),
        "Resource, with Accept": (application(Thing.as_view("thing")), browser),
    }
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, (app, request) in variants.items():
            samples[name].append(run_batch(app, request, batch))
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400, help="batches of each variant")
    parser.add_argument("--batch", type=int, default=50, help="requests in a batch")
    options = parser.parse_args()
    gc.disable()
    samples = measure(options.rounds, options.batch)
    base = min(samples["plain view"])
    print(f"{'':26}{'min µs':>9}{'median µs':>11}{'min ratio':>11}")
    for name, times in samples.items():
        print(f"{name:26}{min(times):9.1f}{statistics.median(times):11.1f}{min(times) / base:11.3f}")
    ratio = min(samples["Resource"]) / base
    print(f"\nResource / plain view = {ratio:.3f} (target: at most {TARGET})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
