"""PassedText: a stanza on its way from the owner of one hosted domain to that of another, as text (many-machines §11)."""

from __future__ import annotations

from typing import NamedTuple


class PassedText(NamedTuple):
    """With the id of the request that it is of."""

    text: str
    request_id: str

    def __repr__(self) -> str:
        return f"PassedText({self.request_id!r})"  # the text has what people write
