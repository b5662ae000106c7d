"""The errors of ntfy by their codes (hooks §13.2): status, sentence, and page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.strict_json import write_json

DOCS = "https://ntfy.sh/docs/"


class NtfyRow(NamedTuple):
    """One code. `link`: below DOCS, "" for none."""

    text: str
    link: str = ""


TABLE: Mapping[int, NtfyRow] = {
    40000: NtfyRow("invalid request"),
    40001: NtfyRow("e-mail notifications are not enabled", "config/#e-mail-notifications"),
    40002: NtfyRow("cannot disable cache for delayed message"),
    40004: NtfyRow("invalid delay parameter: unable to parse delay", "publish/#scheduled-delivery"),
    40005: NtfyRow("invalid delay parameter: too small, please refer to the docs", "publish/#scheduled-delivery"),
    40006: NtfyRow("invalid delay parameter: too large, please refer to the docs", "publish/#scheduled-delivery"),
    40007: NtfyRow("invalid priority parameter", "publish/#message-priority"),
    40008: NtfyRow("invalid since parameter", "subscribe/api/#fetch-cached-messages"),
    40009: NtfyRow("invalid request: topic invalid"),
    40010: NtfyRow("invalid request: topic name is not allowed"),
    40013: NtfyRow("invalid request: attachment URL is invalid", "publish/#attachments"),
    40014: NtfyRow("invalid request: attachments not allowed", "config/#attachments"),
    40018: NtfyRow("invalid request: actions invalid", "publish/#action-buttons"),
    40021: NtfyRow("invalid request: icon URL is invalid", "publish/#icons"),
    40024: NtfyRow("invalid request: request body must be valid JSON"),
    40032: NtfyRow("invalid request: calling is disabled", "config/#phone-calls"),
    40043: NtfyRow("invalid request: could not parse template", "publish/#message-templating"),
    40101: NtfyRow("unauthorized", "publish/#authentication"),
    40301: NtfyRow("forbidden", "publish/#authentication"),
    40401: NtfyRow("page not found"),
    40500: NtfyRow("method not allowed"),
    41301: NtfyRow("attachment too large, or bandwidth limit reached", "publish/#limitations"),
    41303: NtfyRow("JSON body too large"),
    42901: NtfyRow("limit reached: too many requests", "publish/#limitations"),
    42909: NtfyRow("limit reached: too many auth failures", "publish/#limitations"),
    50001: NtfyRow("internal server error"),
    50201: NtfyRow("bad gateway: no recipient accepts the message"),
    50301: NtfyRow("service unavailable: try again later"),
}

OF_STATUS = {400: 40000, 401: 40101, 403: 40301, 404: 40401, 405: 40500, 413: 41301, 429: 42901, 500: 50001, 502: 50201, 503: 50301}
"""Status → the code that it has where nothing more is known."""


class NtfyError(Exception):
    """A request that is refused. `detail`: what follows the sentence; `retry_after`: seconds."""

    def __init__(self, code: int, detail: str = "", retry_after: int | None = None) -> None:
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(code, detail)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code // 100

    @property
    def body(self) -> bytes:
        """The answer's body: one line of JSON."""
        row = TABLE[self.code]
        text = f"{row.text}; {self.detail}" if self.detail else row.text
        answer: dict[str, Any] = {"code": self.code, "http": self.status, "error": text}
        if row.link:
            answer["link"] = DOCS + row.link
        return write_json(answer) + b"\n"


def of_status(status: int) -> NtfyError:
    """The error behind a status of the state machine."""
    return NtfyError(OF_STATUS.get(status, 50001 if status >= 500 else 40000))


def of_gateway(error: GatewayError) -> NtfyError:
    """A service's error, whose sentence says more."""
    found = of_status(error.row.status)
    return NtfyError(found.code, error.text)
