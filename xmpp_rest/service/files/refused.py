"""Why a file is not taken."""

from __future__ import annotations

from typing import Any


class FileRefused(Exception):
    """A file is not taken. `status`: of HTTP; `condition`: of XMPP (RFC 6120 §8.3.3); `detail`: a sentence for the sender.

    `members`: more of the problem document, such as `max_size`; `retry_after`: seconds, None where it would not help.
    """

    def __init__(self, status: int, condition: str, detail: str, retry_after: int | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.condition = condition
        self.detail = detail
        self.retry_after = retry_after
        self.members = members
