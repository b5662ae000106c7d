"""How do URLs that are data, and methods that nobody has registered, find their view?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter, Rule

View = Callable[..., Response]


class Anything(BaseConverter):
    """`<anything:name>`: the rest of the path, slashes and nothing at all included."""

    regex = "(?s:.*)"
    part_isolating = False


def any_method(rule: str, name: str, view: View, defaults: Mapping[str, Any] | None = None) -> Callable[[BlueprintSetupState], None]:
    """What adds a URL rule that the router applies to methods nobody has registered, too, in place of Flask's own 405.

    For `Blueprint.record`. `defaults` are arguments of the view that the path does not hold. Of rules of the same path the first counts.
    """

    def add(state: BlueprintSetupState) -> None:
        endpoint = f"{state.name}.{name}"
        state.app.url_map.add(Rule(rule, endpoint=endpoint, methods=None, defaults=defaults or None))
        state.app.view_functions[endpoint] = view

    return add
