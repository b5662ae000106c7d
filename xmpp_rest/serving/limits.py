"""How much a client may send before its request is refused."""

from __future__ import annotations

from typing import Any, NamedTuple

REQUEST_LINE = 8190  # the most that gunicorn allows, and what it takes where the setting says nothing
FIELDS = 32768
FIELD_SIZE = 8190


class Limits(NamedTuple):
    """Bounds in bytes, except `fields`, which is a number."""

    request_line: int
    fields: int
    field_size: int  # one line of the head, its CRLF included; also one line that begins a chunk
    head: int  # all fields of a head; also all trailer fields

    @classmethod
    def of(cls, cfg: Any) -> Limits:
        """The limits that gunicorn 27 derives from its settings; a request line without a limit has that of the head."""
        fields = cfg.limit_request_fields if 0 < cfg.limit_request_fields <= FIELDS else FIELDS
        field_size = cfg.limit_request_field_size if cfg.limit_request_field_size > 0 else FIELD_SIZE
        head = fields * (field_size + 2) + 4
        line = head if cfg.limit_request_line == 0 else min(cfg.limit_request_line, REQUEST_LINE)
        return cls(line if line > 0 else REQUEST_LINE, fields, field_size, head)
