"""Why a file is not taken."""

from __future__ import annotations

from typing import Any

from xmpp_rest.service.files.quotas import FILES, OWN, SLOTS, Full


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


def too_large(max_size: int) -> FileRefused:
    """The file is larger than one may be."""
    return FileRefused(413, "policy-violation", f"A file has at most {max_size} bytes here ([files] max_size)", max_size=max_size)


def disk_full() -> FileRefused:
    """There is no room on the disk."""
    return FileRefused(507, "resource-constraint", "There is no room for the file on the disk")


def refused_for(full: Full) -> FileRefused:
    """What a sender is told of a bound."""
    if full.bound == OWN:
        detail = f"{full.used} of the {full.quota} bytes that one uploader may have stored ([files] quota) are taken"
        return FileRefused(429, "resource-constraint", detail, full.retry_after, used=full.used, quota=full.quota)
    if full.bound == FILES:
        return FileRefused(429, "resource-constraint", f"{full.used} files are stored, as many as one uploader may have", full.retry_after)
    if full.bound == SLOTS:
        detail = f"As many slots are open as may be, {full.used} of them your own; use them first"
        return FileRefused(429, "resource-constraint", detail, full.retry_after)
    return FileRefused(507, "resource-constraint", "As many bytes are stored here as may be in all ([files] quota_total)", full.retry_after)
