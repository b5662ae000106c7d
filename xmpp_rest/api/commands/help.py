"""What the help says about a command: its declaration, and what the catalogue has about its arguments (commands-api §14)."""

from __future__ import annotations

import shlex
import textwrap

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.types import Field, ListOf, TupleOf, Type

WIDTH = 78
TOOL = "xmpp-restctl"
LISTS = 'The elements of a list are separated by commas, as in one,two,three; "" is the list without any.'
TUPLES = "The fields of a tuple are separated by colons, as in title:Verona."


def notation(field: Field) -> str:
    """`name::type`; a list is `[ … ]`, a tuple `{ … }`."""
    return f"{field.name}::{_type(field.type)}"


def _type(shape: Type) -> str:
    match shape:
        case ListOf(element=element):
            return f"[ {notation(element)} ]"
        case TupleOf(fields=fields):
            return f"{{ {', '.join(map(notation, fields))} }}"
    return str(shape)


def usage(definition: Definition) -> str:
    """The command with its arguments, as one line of the command line."""
    return " ".join((TOOL, definition.name, *(name.upper() for name in definition.arg_names)))


def example(definition: Definition, *, versioned: bool) -> str:
    """A line of the command line that a shell takes."""
    words = (shlex.quote(about.example) for about in definition.about.values())
    return " ".join((TOOL, *(("--version", str(definition.version)) if versioned else ()), definition.name, *words))


def help_text(definition: Definition, *, versioned: bool = False) -> str:
    """Labelled parts in the order of the peer's help; `versioned`: there is a newer version, so the example has to name this one."""
    kinds = [field.type for field in definition.args]
    parts = [
        ("Command Name", definition.name),
        ("Arguments", "\n".join(_argument(field, definition) for field in definition.args)),
        ("Result", notation(definition.result)),
        ("Example", example(definition, versioned=versioned)),
        ("Tags", ", ".join(sorted(definition.tags))),
        ("Module", definition.module),
        ("Note", f"since API version {definition.version}" if definition.version else ""),
        ("Description", textwrap.fill(definition.summary, WIDTH - len("  Description: "))),
        ("Note", LISTS if any(isinstance(kind, ListOf) for kind in kinds) else ""),
        ("Note", TUPLES if any(isinstance(kind, ListOf) and isinstance(kind.element.type, TupleOf) for kind in kinds) else ""),
    ]
    return "\n\n".join(_part(label, text) for label, text in parts if text) + "\n"


def _argument(field: Field, definition: Definition) -> str:
    about = definition.about.get(field.name)
    return f"{notation(field)} : {about.sentence}" if about else notation(field)


def _part(label: str, text: str) -> str:
    head = f"  {label}: "
    return head + text.replace("\n", "\n" + " " * len(head))
