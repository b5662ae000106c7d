"""What the pages consist of: files beside this one, and those of Swagger UI."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import NamedTuple

from xmpp_rest.config.manual import ini

HTML, TEXT, JSON = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json"
TYPES = {
    "css": "text/css; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",  # RFC 9239 §6
    "png": "image/png",
    "txt": TEXT,
}
"""Media types by the end of a file's name."""


class WebContent(NamedTuple):
    """What is sent, and its entity tag without quotation marks."""

    data: bytes
    tag: str
    type: str


def content_of(data: bytes, media: str) -> WebContent:
    """The content with its entity tag."""
    return WebContent(data, hashlib.sha256(data).hexdigest()[:32], media)


class Files:
    """The contents of all pages, read when they are asked for first: Swagger UI is 1.9 MB."""

    def __init__(self) -> None:
        self._own = files("xmpp_rest.api.web").joinpath("files")
        self._kept: dict[str, WebContent] = {}

    def own(self, name: str) -> WebContent:
        """A file that comes with the gateway."""
        return self._kept.get(name) or self._keep(name, self._own.joinpath(name))

    def swagger(self, name: str) -> WebContent:
        """A file of Swagger UI."""
        return self._kept.get(name) or self._keep(name, _swagger() / name)

    def manual(self) -> WebContent:
        """All settings, as wsgi.ini lists them; those of this gateway are not in it."""
        return self._kept.get("manual") or self._put("manual", content_of(ini().encode(), TEXT))

    def page(self, name: str, values: Mapping[str, str], **markup: str) -> str:
        """The text of a page, with `$name` replaced by the values, which are escaped, or by markup, which is not."""
        return Template(self.own(name).data.decode()).substitute({key: escape(value) for key, value in values.items()} | markup)

    def _keep(self, name: str, place: Traversable) -> WebContent:
        return self._put(name, content_of(place.read_bytes(), TYPES.get(name.rpartition(".")[2], HTML)))

    def _put(self, name: str, content: WebContent) -> WebContent:
        self._kept[name] = content
        return content


def _swagger() -> Path:
    """The folder of its files. The package itself is not imported: its page has an inline script."""
    spec = find_spec("flask_swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("flask-swagger-ui is not installed (requirements.txt names it)")
    return Path(spec.submodule_search_locations[0]) / "dist"
