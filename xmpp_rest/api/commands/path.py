"""Which command in which version does a URL name? (spec commands-api §1, §6)"""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"v([+-]?)0*([0-9]+)")
_MANY = 9  # digits: no version is that new, and int() must not read millions of them


class Target(NamedTuple):
    """The name as it stands in the URL ("" where there is none), and the version, if it says one."""

    name: str
    version: int | None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}/v{self.version}"


def read_path(path: str, base: int | None = None) -> Target:
    """What stands behind the prefix, percent-decoded; other elements than the first and the last version count for nothing.

    `base` is the version that stands before the prefix, for who names none behind it.
    """
    elements = [element for element in path.split("/") if element]
    versions = [match for element in elements[1:] if (match := _VERSION.fullmatch(element))]
    return Target(elements[0] if elements else "", _number(versions[-1]) if versions else base)


def _number(match: re.Match[str]) -> int:
    value = int(match[2][:_MANY])
    return -value if match[1] == "-" else value
