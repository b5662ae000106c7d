"""Output of the command line: text and exit code of a result or a failure (commands-api §14)."""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.errors import CommandFailure
from xmpp_rest.api.commands.results import NotDone, Rows, order
from xmpp_rest.api.commands.types import ListOf, ScalarType, TupleOf, Type
from xmpp_rest.cli.streams import give_up_output

DONE, FAILED, WRONG_USAGE, UNREACHABLE = 0, 1, 2, 3
KINDS = {10090: "conflict", 10001: "cannot_register"}  # of a restuple's failure, by its code
_WORD = re.compile(r"[a-z][a-z0-9_]*")


class Printed(NamedTuple):
    """Exit code and text; the text ends with a line feed, if there is any."""

    code: int
    text: str


def write(text: str) -> None:
    """Print a text: characters that the terminal cannot show are escaped, and a closed pipe is not an error."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), end="", flush=True)
    except BrokenPipeError:
        give_up_output()


def remark(sentence: str) -> None:
    """Print to standard error what should be known, although nothing is wrong."""
    print(f"xmpp-rest: remark: {sentence}", file=sys.stderr)


def of_result(value: Any, definition: Definition, version: int) -> Printed:
    """The output of a command that has succeeded."""
    if isinstance(value, Rows):
        value = list(value.rows)
    match definition.result.type:
        case ScalarType(name="rescode"):
            return Printed(DONE, "") if value else Printed(FAILED, f"Error: {value.reason if isinstance(value, NotDone) else 'false'}\n")
        case ScalarType(name="restuple") if not value:  # COMPAT ejabberd: the text is empty, so nothing is printed
            return Printed(DONE, "")
        case ListOf(element=element) as shape:
            return Printed(DONE, "".join(f"{_format(v, element.type, version)}\n" for v in _sorted(value, shape)))
        case shape:
            return Printed(DONE, f"{_format(value, shape, version)}\n")


def of_failure(failure: CommandFailure, result: Type) -> Printed:
    """The output of a command that has failed. COMPAT ejabberd: its form depends on how the code failed."""
    body, restuple = failure.body, result == ScalarType("restuple")
    if isinstance(body, dict):
        kind = KINDS.get(body["code"])
        return Printed(FAILED, f"Error: {kind}: {body['message']}\n" if kind else f"Error: {body['message']}\n")
    if failure.status >= 500 or restuple:
        return Printed(FAILED, f"Error: {body}\n")
    if failure.status == 404:
        return Printed(FAILED, f'{{not_found,"{body}"}}\n')
    return Printed(FAILED, f"{body}\n" if _WORD.fullmatch(body) else f'{{error,"{body}"}}\n')


def _sorted(value: list[Any], shape: ListOf) -> list[Any]:
    return value if isinstance(shape.element.type, TupleOf) and shape.pair else sorted(value, key=order)


def _format(value: Any, shape: Type, version: int) -> str:
    match shape:
        case ListOf(element=element):
            return (",;"[version == 0]).join(_format(v, element.type, version) for v in sorted(value, key=order))
        case TupleOf(fields=fields):
            return "\t".join(_format(v, field.type, version) for v, field in zip(value, fields, strict=True))
    return str(value)
