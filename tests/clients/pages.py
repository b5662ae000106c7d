"""What the pages of docs/senders/ show, for the gateway of a test."""

from __future__ import annotations

import re
from pathlib import Path

from tests.live.gateway import PASSWORD

SENDERS = Path(__file__).parent.parent.parent / "docs" / "senders"
TOKEN = re.compile(r"hk_[0-9A-Za-z]{27}")
HOST = re.compile(r"(http|apprise|json|form|ntfy|gotify|mmost|rocket)s://xmpp\.example\.net")


def blocks(page: str, language: str, address: str, domain: str, token: str) -> list[str]:
    """The blocks of this language on a page, with this gateway (HOST:PORT, hosted domain) and this hook in place of those that are shown."""
    text = (SENDERS / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [_here(block, address, domain, token) for block in found]


def _here(block: str, address: str, domain: str, token: str) -> str:
    block = HOST.sub(rf"\1://{address}", block)
    block = TOKEN.sub(token, block).replace("-u nurse@xmpp.example.net", f"-u 'nurse@{domain}:{PASSWORD}'")
    return block.replace("xmpp.example.net", domain)
