"""The templates: shipped ones, those of the administrator's folder, and those of hooks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from xmpp_rest.config.hook_readers import FORMATS, MAX_TEMPLATE
from xmpp_rest.service.hooks.sandbox.environment import BoundedEnvironment
from xmpp_rest.service.hooks.sandbox.errors import BadTemplate
from xmpp_rest.service.hooks.slack_text import slack_text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Of a file of templates, without its ending: no path leads out of the folder."""
ENDING = ".txt"
KEPT = 64
"""Compiled templates that are kept; a usual one has 10 kB, one that is made to be large 700 kB."""


class Templates:
    """Finds, compiles and renders templates. `folder`: the administrator's, asked for each time, "" for none."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder
        self._making = threading.Lock()  # of the environment: a template is rendered by the one that has compiled it, which counts
        self._compiled = lru_cache(KEPT)(lambda source: self._environment.compiled(source))

    @property
    def _environment(self) -> BoundedEnvironment:
        with self._making:
            return self._made_environment

    @cached_property
    def _made_environment(self) -> BoundedEnvironment:
        return BoundedEnvironment(slack_text)

    @cached_property
    def _shipped(self) -> Mapping[str, str]:
        folder = files(__package__) / "templates"
        found = {name: folder / f"{name}{ENDING}" for name in FORMATS}
        return {name: file.read_text("utf-8") for name, file in found.items() if file.is_file()}

    def check(self, template: str) -> None:
        """Raises BadTemplate where a hook's template, source or @NAME, cannot be read or parsed."""
        self._compiled(self._source(template))

    def of_the_hook(self, template: str, names: Mapping[str, Any]) -> str:
        """What a hook's template, source or @NAME, says. Raises BadTemplate, TemplateFailed."""
        return self._environment.rendered(self._compiled(self._source(template)), names)

    def of_the_folder(self, name: str, names: Mapping[str, Any]) -> str | None:
        """What the administrator's template of that format says; None: there is none. Raises BadTemplate, TemplateFailed."""
        source = self._file(name)
        return None if source is None else self._environment.rendered(self._compiled(source), names)

    def shipped(self, name: str, names: Mapping[str, Any]) -> str:
        """What the shipped template of the format says, however long: the text is cut off later."""
        return self._environment.rendered(self._compiled(self._shipped[name]), names, bounded=False)

    def _source(self, template: str) -> str:
        if not template.startswith("@"):
            return short(template)
        name = template[1:].strip().removesuffix(ENDING)
        found = self._file(name)
        if found is None:
            found = self._shipped.get(name)
        if found is None:
            raise BadTemplate(f"there is no template {name[:64]!r}: give the name of a file in [hooks] templates, or of a format")
        return found

    def _file(self, name: str) -> str | None:
        folder = self._folder()
        if not folder or not NAME.fullmatch(name):
            return None
        path = Path(folder, f"{name}{ENDING}")
        try:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                data = file.read(4 * MAX_TEMPLATE + 1)
            source = data.decode("utf-8-sig")
        except (OSError, ValueError) as error:
            raise BadTemplate(f"the template {name!r} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
        return short(source)


def short(source: str) -> str:
    """The source. Raises BadTemplate where it is too long."""
    if len(source) > MAX_TEMPLATE:
        raise BadTemplate(f"a template has at most {MAX_TEMPLATE} characters")
    return source


def check_template(template: str, folder: str = "") -> None:
    """Raises BadTemplate where a template, source or @NAME, cannot be read or parsed. For checks before there is a gateway."""
    Templates(lambda: folder).check(template)
