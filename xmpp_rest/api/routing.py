"""How do URLs that are data find their view? A converter for the rest of a path, whatever it is."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class Anything(BaseConverter):
    """`<anything:name>`: the rest of the path, slashes and nothing at all included."""

    regex = "(?s:.*)"
    part_isolating = False
