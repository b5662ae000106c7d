"""One line of the table of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, TypeVar

T = TypeVar("T")


def setting(default: str, read: Callable[[str], T], doc: str, *, secret: bool = False, required: bool = False) -> T:
    """One line of the table: the default as text, its reader, and its description in the manual."""
    metadata = {"default": default, "read": read, "doc": doc, "secret": secret, "required": required}
    value: Any = field(metadata=metadata)
    return value  # type: ignore[no-any-return]
