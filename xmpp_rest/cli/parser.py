"""The parser of `xmpp-rest`: mistakes are one line that names the nearest word, with the exit code 64. Imports next to nothing."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, NoReturn

from xmpp_rest.gateway.exit_codes import Exit

NUMBER = re.compile(r"-\.?[0-9].*")


class Parser(argparse.ArgumentParser):
    """As argparse's, but options are written in full, and an unknown one is named whatever else is wrong."""

    def __init__(self, *, wrong: int = Exit.USAGE, **options: Any) -> None:
        """`wrong`: the exit code for wrong words."""
        super().__init__(**options, allow_abbrev=False)
        self._wrong = wrong
        self._verbs: Any = None  # the subparsers

    def add_subparsers(self, **options: Any) -> Any:
        """As argparse's. Unknown words in the place of a verb are named, with the nearest one."""
        self._verbs = super().add_subparsers(**options)
        return self._verbs

    @property
    def verbs(self) -> dict[str, Parser]:
        """The parsers of the verbs, by name."""
        return {} if self._verbs is None else self._verbs.choices

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but there is nothing that is not known: such words end the process."""
        self._require_known(args)
        found, extras = super().parse_known_args(self._sorted(args) if self._verbs is None else args, namespace)
        if extras:
            self.error(f"{extras[0]!r} is one word too many")
        return found, extras

    def _sorted(self, words: Sequence[str]) -> list[str]:
        """The options with their values, then the other words: argparse takes those only where they stand together."""
        options: list[str] = []
        others: list[str] = []
        left = iter(words)
        for word in left:
            if word == "--":
                others += left
            elif not is_option(word):
                others.append(word)
            else:
                options += [word, *islice(left, self._values_of(word))]
        return [*options, "--", *others] if others else options

    def _values_of(self, word: str) -> int:
        """How many words after an option belong to it."""
        action = self._option_string_actions.get(word)
        return 0 if action is None or action.nargs == 0 else 1

    def error(self, message: str) -> NoReturn:
        """End with one line on standard error."""
        self.exit(self._wrong, f"{self.prog}: {message} (`{self.prog} --help` lists what there is)\n")

    def index_of_verb(self, words: Sequence[str]) -> int | None:
        """The place of the first word that is neither an option nor the value of one."""
        place = 0
        while place < len(words):
            word = words[place]
            if not is_option(word):
                return place
            place += 1 + self._values_of(word)
        return None

    def _require_known(self, words: Sequence[str]) -> None:
        """End with the nearest word if one is unknown as an option or a verb of this parser."""
        end = self.index_of_verb(words) if self._verbs is not None else None
        for word in words[:end]:
            if word == "--":
                return
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            if is_option(word) and name not in self._option_string_actions:
                self.error(f"there is no option {name}; {self._instead(name)}")
        if end is not None and words[end] not in self._verbs.choices:
            self.error(f"there is no command {words[end]!r}; {nearest(words[end], [*self._verbs.choices])}")

    def _instead(self, name: str) -> str:
        if self._verbs is not None and not get_close_matches(name, self._option_string_actions, 1):
            return "settings are in the configuration: --config FILE"
        return nearest(name, [word for word in self._option_string_actions if word.startswith("--")])


def is_option(word: str) -> bool:
    """Whether a word is meant as an option, and not as a number, a text or standard input."""
    return word.startswith("-") and len(word) > 1 and " " not in word and not NUMBER.fullmatch(word)


def nearest(word: str, known: Sequence[str]) -> str:
    """What was probably meant."""
    close = get_close_matches(word, known, 1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(known)}"
