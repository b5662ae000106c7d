"""What the methods of drivers take and give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")
Value = Any
"""str, int, float, bool, None, list[Value] or dict[str, Value]; the JSON model above."""
Table = dict[str, Any] | list[Any]
Sort = Literal["keyval", "list", "archive"]
MemberChange = Callable[[Table | None, Callable[[], int]], Table | None]
"""(some members of a table, what tells how many with text for keys it has) → these members as they are to be."""


@dataclass(frozen=True, slots=True)
class ArchiveItem:
    """One archived stanza. `stanza` is XML text whose default namespace, undeclared, is `jabber:client`."""

    id: str
    when: float  # Unix time, seconds
    with_: str  # bare JID of the partner, or ""
    stanza: str


class Place(NamedTuple):
    """A store with its user, its host and its kind: the user is None for the host's own, the host "" for content without one."""

    user: str | None
    host: str
    store: str
    sort: Sort

    def __str__(self) -> str:
        owner = self.host if self.user is None else f"{self.user}@{self.host}"
        return f"{owner or 'no host'}: {self.store}"


class Addition(NamedTuple):
    """Items for one archive, in their order."""

    user: str | None
    host: str
    store: str
    items: Sequence[ArchiveItem]
    new: bool = False
    """Whether the ids are new and random, and so in no archive: then no look-up is needed."""


class Write(NamedTuple):
    """One write: of the table, or if it `appends`, of one item at the end of the list."""

    user: str | None
    host: str
    store: str
    content: Value
    appends: bool = False


class Content(NamedTuple):
    """The content of one store: the table, all items of the list, or items for the archive, as `sort` says."""

    user: str | None
    host: str
    store: str
    sort: Sort
    content: Any  # a Table or None, Sequence[Value], or Sequence[ArchiveItem]
    new: bool = False
    """Whether there is no such table, no such list, or no item with these ids yet: then no look-up is needed."""


def error_of(work: Callable[[], object]) -> Exception | None:
    """The exception that `work` raises, or None."""
    result = result_of(work)
    return result if isinstance(result, Exception) else None


def result_of(work: Callable[[], T]) -> T | Exception:
    """What `work` returns, or the exception that it raises."""
    try:
        return work()
    except Exception as e:
        return e
