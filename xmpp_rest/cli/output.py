"""What does the command line print of a result or a failure, and with which exit code? (commands-api §14)"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, NamedTuple

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.errors import Failure
from xmpp_rest.api.commands.results import NotDone, order
from xmpp_rest.api.commands.types import ListOf, Scalar, TupleOf, Type

DONE, FAILED, WRONG_USAGE, UNREACHABLE = 0, 1, 2, 3
KINDS = {10090: "conflict", 10001: "cannot_register"}  # of a restuple's failure, by its code
_WORD = re.compile(r"[a-z][a-z0-9_]*")


class Printed(NamedTuple):
    """Exit code and text; the text ends with a line feed, if there is any."""

    code: int
    text: str


def write(text: str) -> None:
    """Print this: what the terminal has no letters for is escaped; a reader who has seen enough ends nothing but the reading."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more when it ends


def of_result(value: Any, definition: Definition, version: int) -> Printed:
    """A command that has run."""
    match definition.result.type:
        case Scalar(name="rescode"):
            return Printed(DONE, "") if value else Printed(FAILED, f"Error: {value.reason if isinstance(value, NotDone) else 'false'}\n")
        case Scalar(name="restuple") if not value:  # COMPAT ejabberd: the text is empty, so nothing is printed
            return Printed(DONE, "")
        case ListOf(element=element) as shape:
            return Printed(DONE, "".join(f"{_text(v, element.type, version)}\n" for v in _sorted(value, shape)))
        case shape:
            return Printed(DONE, f"{_text(value, shape, version)}\n")


def of_failure(failure: Failure, result: Type) -> Printed:
    """A command that came to nothing. COMPAT ejabberd: how it says so depends on how its code failed."""
    body, restuple = failure.body, result == Scalar("restuple")
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


def _text(value: Any, shape: Type, version: int) -> str:
    match shape:
        case ListOf(element=element):
            return (",;"[version == 0]).join(_text(v, element.type, version) for v in sorted(value, key=order))
        case TupleOf(fields=fields):
            return "\t".join(_text(v, field.type, version) for v, field in zip(value, fields, strict=True))
    return str(value)
