"""What does the help say about a command? All of it comes from the declaration (spec commands-api §14)."""

from __future__ import annotations

import textwrap

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.types import Field, ListOf, TupleOf, Type

WIDTH = 78
TOOL = "xmpp-restctl"


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


def help_text(definition: Definition) -> str:
    """Labelled parts in the order of the peer's help."""
    parts = {
        "Command Name": definition.name,
        "Arguments": "\n".join(map(notation, definition.args)),
        "Result": notation(definition.result),
        "Example": usage(definition),
        "Tags": ", ".join(sorted(definition.tags)),
        "Module": definition.module,
        "Note": f"since API version {definition.version}" if definition.version else "",
        "Description": textwrap.fill(definition.summary, WIDTH - len("  Description: ")),
    }
    return "\n\n".join(_part(label, text) for label, text in parts.items() if text) + "\n"


def _part(label: str, text: str) -> str:
    head = f"  {label}: "
    return head + text.replace("\n", "\n" + " " * len(head))
