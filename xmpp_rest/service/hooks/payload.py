"""What a request to a hook has brought, whichever API it came by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class PostedForm(dict[str, str]):
    """The fields of a form: what tells a form from a JSON object of strings."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One request, read.

    `format`: one of config.hook_readers.FORMATS, as decided for this request. `value`: JSON, a PostedForm, or text (str).
    `event`: what a forge calls it, or "". `headers`: names in lower case, without credentials, tokens and signatures. `query`: without
    `token` and `auth`. `files`: names of files that came along and are not sent.
    """

    format: str
    value: Any
    event: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
