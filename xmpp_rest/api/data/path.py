"""`/data/{host}/{user}/{store}/{format}`: parses the path (data-api §1.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from xmpp_rest.api.data.formats import FORMATS
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.data_rights import StoreKey

MAX_STORE = 200  # letters: it is the name of a folder where files are the storage, and those end at 255 bytes
MAX_USER = 1023  # bytes, RFC 6122 §2.3
_STORE = re.compile(rf"[A-Za-z_]{{1,{MAX_STORE}}}")
_UNHEARD = re.compile(r"[\x00-\x1f\x7f\ufffd]")
"""What no account's name contains (RFC 3454 C.2, C.6); U+FFFD stands for bytes that were not UTF-8."""
_PCHAR = "!$&'()*+,;=:@"  # with letters, digits and -._~: what a segment may hold as it is (RFC 3986 §3.3)


class DataPath(NamedTuple):
    """A store, and the name of the format after it ("": none)."""

    key: StoreKey
    format: str


def read_path(path: str, caller: JID) -> DataPath | None:
    """What the path after `/data/`, percent-decoded, names for this caller; None if that cannot be a store.

    Empty parts do not count; fewer than three are below the caller's own account; those after the fourth are ignored.
    """
    parts = _parts(path)
    if len(parts) < 3:
        parts = [caller.domain, caller.local, *parts]
    if len(parts) < 3 or not is_store(parts[2]) or not _is_name(parts[1]):
        return None
    return DataPath(StoreKey(*parts[:3]), parts[3] if len(parts) > 3 else "")


def names_account(path: str, hosted: Callable[[str], bool]) -> bool:
    """Whether the path is `{host}/{user}/`, the account itself.

    Never where that is a store of the caller's in a known format: that is what the peer's clients mean by it.
    """
    parts = _parts(path)
    return len(parts) == 2 and path.endswith("/") and hosted(parts[0]) and not (is_store(parts[0]) and parts[1] in FORMATS)


def read_account(path: str) -> StoreKey | None:
    """The account that such a path names; None if there can be none of that name."""
    host, user = _parts(path)
    return StoreKey(host, user) if _is_name(user) else None


def is_store(name: str) -> bool:
    """Whether a store of this name can be reached."""
    return _STORE.fullmatch(name) is not None


@lru_cache(maxsize=256)
def url_path(key: StoreKey) -> str:
    """The path of a store's URL, in the long form and percent-encoded."""
    return "/data/" + "/".join(quote(part, safe=_PCHAR) for part in key)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _is_name(user: str) -> bool:
    return len(user.encode()) <= MAX_USER and _UNHEARD.search(user) is None
