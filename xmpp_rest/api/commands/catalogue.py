"""The catalogue of the peer's commands, with their versions and declarations.

`catalogue.json` beside this file holds one declaration a line: facts about ejabberd 26.07 with summaries of our own. What the gateway
offers is decided by the functions that are bound to declarations (`registry.py`). `arguments.json` says what the arguments of those are:
sentence and example, by `COMMAND@VERSION.ARGUMENT`, `COMMAND.ARGUMENT` or `ARGUMENT`, of which the first that is there counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from xmpp_rest.api.commands.types import Field, read_field

# COMPAT EjabberdAPI, ProcessOne's Go client: it says `server` here too, where only its other commands take that
RENAMED_BY_CLIENTS = {"user_resources": {"server": "host"}}
CATALOGUE, ARGUMENTS = Path(__file__).with_name("catalogue.json"), Path(__file__).with_name("arguments.json")


class About(NamedTuple):
    """What an argument is, and a value as it is written on the command line."""

    sentence: str
    example: str


Texts = Mapping[str, Sequence[str]]
NO_TEXTS: Texts = {}


@dataclass(frozen=True, slots=True)
class Definition:
    """The declaration of a command from one API version on."""

    name: str
    version: int
    args: tuple[Field, ...]
    result: Field
    renamed: Mapping[str, str]  # old argument name → new one
    policy: str  # restricted, admin or user; decides nothing (commands-api §5)
    tags: frozenset[str]
    module: str
    summary: str
    internal: bool  # no front end may call it
    cli_only: bool  # only the command line may call it
    about: Mapping[str, About]  # by the name of the argument; of commands that are offered
    optional: Mapping[str, Any]  # the last ones of `args`, which the peer does not have, each with what it is when it is left out

    @property
    def arg_names(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.args)


def read_definition(row: Mapping[str, Any], texts: Texts = NO_TEXTS) -> Definition:
    """One entry of the catalogue. Raises KeyError, ValueError for what is none."""
    ours = row.get("ours", ())
    args = tuple(map(read_field, (*row["args"], *ours)))
    taken = {a.name for a in args}
    return Definition(
        name=row["name"],
        version=row["version"],
        args=args,
        result=read_field(row["result"]),
        # An old name that is an argument of its own stays one: muc_register_nick v3 could not be called otherwise.
        renamed={r["old"]: r["new"] for r in row["args_rename"] if r["old"] not in taken} | RENAMED_BY_CLIENTS.get(row["name"], {}),
        policy=row["policy"],
        tags=frozenset(row["tags"]),
        module=row["module"],
        summary=row["summary"],
        internal=row.get("internal", False),
        cli_only=row.get("cli_only", False),
        about=dict(_about(f"{row['name']}@{row['version']}", args, texts)),
        optional={arg["name"]: arg["default"] for arg in ours},
    )


def _about(command: str, args: Iterable[Field], texts: Texts) -> Iterator[tuple[str, About]]:
    for arg in args:
        places = (f"{command}.{arg.name}", f"{command.partition('@')[0]}.{arg.name}", arg.name)
        text = next((texts[place] for place in places if place in texts), None)
        if text is not None:
            yield arg.name, About(*text)


def load_catalogue(path: Path = CATALOGUE) -> tuple[Definition, ...]:
    """Every declaration of the file."""
    texts = json.loads(ARGUMENTS.read_text("utf-8"))
    return tuple(read_definition(row, texts) for row in json.loads(path.read_text("utf-8")))
