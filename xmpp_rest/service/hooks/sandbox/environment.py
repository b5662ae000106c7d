"""Compiles and renders templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from xmpp_rest.service.hooks.sandbox.errors import BadTemplate, TemplateFailed

OUTPUT = 20_000


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's immutable sandbox with bounds."""

    def __init__(self) -> None:
        super().__init__(undefined=ChainableUndefined, optimized=False)

    def compiled(self, source: str) -> Template:
        """A template, ready to be rendered. Raises BadTemplate."""
        try:
            return self.from_string(source)
        except TemplateSyntaxError as error:
            raise BadTemplate(str(error.message or "cannot be parsed"), error.lineno) from None

    def rendered(self, template: Template, names: Mapping[str, Any], output: int = OUTPUT) -> str:
        """What the template says. Raises TemplateFailed."""
        try:
            return template.render(names)
        except Exception as error:
            raise TemplateFailed(str(error)) from None
