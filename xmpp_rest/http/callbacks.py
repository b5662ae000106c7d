"""The callbacks of a Resource (not those that POST stanzas), and the steps of the machine that they make necessary."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NamedTuple

#: A callback of the class, to be called with the instance.
Callback = Callable[[Any], Any]

#: Those with a fixed name; provide, accept and range callbacks have names of the resource's own.
CALLBACKS = frozenset(
    {
        "init", "service_available", "known_methods", "uri_too_long", "allowed_methods", "malformed_request",
        "is_authorized", "forbidden", "rate_limited", "valid_content_headers", "valid_entity_length", "options",
        "content_types_provided", "languages_provided", "charsets_provided", "ranges_provided", "variances",
        "resource_exists", "generate_etag", "last_modified", "expires", "previously_existed", "moved_permanently",
        "moved_temporarily", "allow_missing_post", "content_types_accepted", "is_conflict", "delete_resource",
        "delete_completed", "range_satisfiable", "multiple_choices",
    }
)  # fmt: skip


class Step(NamedTuple):
    """A step of the machine, and whether it does something for a class that does not define its callback.

    ``decide`` has the name of the callback. It answers with the status that ends the request, or 0 to go on.
    """

    decide: Callable[[Any], int]
    always: bool = False


@dataclass(frozen=True, slots=True)
class DefinedCallbacks:
    """What is known of every request to a class beforehand."""

    defined: Mapping[str, Callback]
    #: S1 to N6.
    steps: tuple[Callable[[Any], int], ...]
    #: G1 to G3.
    fields: tuple[Callable[[Any], int], ...]
    #: Keys of the WSGI environ, and what the machine reads there in place of what was sent.
    readers: tuple[tuple[str, Callable[[str], str]], ...] = ()


def as_declared(environ: dict[str, Any], readers: Iterable[tuple[str, Callable[[str], str]]]) -> dict[str, Any]:
    """A copy of the WSGI environ with what the readers make of its fields; a field of which they make nothing is not there."""
    read = dict(environ)
    for key, reader in readers:
        if value := reader(str(read.pop(key, ""))):
            read[key] = value
    return read


def environ_key(field: str) -> str:
    """Where WSGI has a header field (PEP 3333)."""
    key = field.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def needed(steps: Iterable[Step], defined: Collection[str]) -> tuple[Callable[[Any], int], ...]:
    """The steps that matter for a class that defines these callbacks, in order."""
    return tuple(step.decide for step in steps if step.always or step.decide.__name__ in defined)


def defined_callbacks(cls: type, root: type) -> Mapping[str, Callback]:
    """The callbacks that ``cls`` has from anywhere but ``root``, mixins included, to be called with the instance."""
    attributes: dict[str, Any] = {}
    for ancestor in reversed(cls.__mro__):
        if ancestor is not root:
            attributes.update(vars(ancestor))
    return {name: bind(attributes[name]) for name in CALLBACKS & attributes.keys()}


def bind(raw: Any) -> Callback:
    """A class attribute as a function of the instance, whatever an instance attribute of that name may be."""
    if isinstance(raw, FunctionType):
        return raw
    if hasattr(raw, "__get__"):
        return lambda resource: raw.__get__(resource, type(resource))()
    return lambda _resource: raw()
