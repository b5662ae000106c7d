"""Language tags: checks that a text is well-formed (RFC 5646)."""

from __future__ import annotations

import re

MAX_LENGTH = 35  # characters, RFC 5646 §4.4.1

_TAG = re.compile(  # RFC 5646 §2.1; a text of at most MAX_LENGTH characters keeps the matching short
    r"""
    (?: [a-z]{2,3}(?:-[a-z]{3}){0,3} | [a-z]{4,8} )     # language, extended languages
    (?: -[a-z]{4} )?                                    # script
    (?: -(?:[a-z]{2}|[0-9]{3}) )?                       # region
    (?: -(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}) )*          # variants
    (?: -[0-9a-wy-z](?:-[a-z0-9]{2,8})+ )*              # extensions
    (?: -x(?:-[a-z0-9]{1,8})+ )?                        # private use
    | x(?:-[a-z0-9]{1,8})+
    | i-[a-z]{3,8} | en-gb-oed | sgn-be-fr | sgn-be-nl | sgn-ch-de  # irregular ones of old
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def language_tag(text: str | None) -> str | None:
    """The text without surrounding white space if it is a well-formed language tag, else None."""
    tag = (text or "").strip(" \t")
    return tag if len(tag) <= MAX_LENGTH and _TAG.fullmatch(tag) else None
