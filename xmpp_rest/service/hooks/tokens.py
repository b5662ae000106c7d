"""Tokens of hooks: hk_ and 27 letters and digits, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
import string

from xmpp_rest.config.hook_readers import TOKEN

LENGTH = 27  # letters and digits: 160 bits
_LETTERS = string.ascii_letters + string.digits


def new_token() -> str:
    """A token that nobody can guess."""
    return "hk_" + "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


def is_token(text: str) -> bool:
    """Whether this has the form of a token."""
    return TOKEN.fullmatch(text) is not None


def hash_of(token: str) -> str:
    """SHA-256 of a token in lower-case hex, which is all that is kept of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
