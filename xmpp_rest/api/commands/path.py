"""Paths of commands: name and version in a URL (commands-api §1, §6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from flask import Request

from xmpp_rest.api.routing import segments

_VERSION = re.compile(r"v([+-]?)0*([0-9]+)")
_MANY = 9  # digits: no version is that new, and int() must not read millions of them


class Target(NamedTuple):
    """The name as it stands in the URL ("" where there is none), and the version, if it says one."""

    name: str
    version: int | None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}/v{self.version}"


def read_path(segments: Iterable[str], base: int | None = None) -> Target:
    """What the decoded segments after the prefix say; others than the first and the last version are ignored.

    `base` is the version that stands before the prefix, for who names none after it.
    """
    elements = [segment for segment in segments if segment]
    versions = [match for element in elements[1:] if (match := _VERSION.fullmatch(element))]
    return Target(elements[0] if elements else "", _number(versions[-1]) if versions else base)


def read_batch_path(segments: Iterable[str], base: int | None = None) -> Target | None:
    """The version for which a path without a command asks, with "" as its name; None where there is a command."""
    versions = [_VERSION.fullmatch(segment) for segment in segments if segment]
    if None in versions:
        return None
    return Target("", _number(versions[-1]) if versions and versions[-1] else base)


def target(request: Request, base: int | None = None) -> Target:
    """What a request's URL names; `base` as above. A slash that was sent as %2F belongs to its segment (RFC 3986 §2.2)."""
    return read_path(_after_prefix(request), base)


def batch_target(request: Request, base: int | None = None) -> Target | None:
    """As `read_batch_path`, of a request's URL."""
    return read_batch_path(_after_prefix(request), base)


def _after_prefix(request: Request) -> list[str]:
    rule = request.url_rule.rule if request.url_rule else ""
    prefix = rule.partition("<")[0].strip("/").count("/") + 1
    return segments(request)[prefix:]


def _number(match: re.Match[str]) -> int:
    value = int(match[2][:_MANY])
    return -value if match[1] == "-" else value
