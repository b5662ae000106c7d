"""The check of what is set for files: values that are each valid, but cannot work, or are rarely intended (files §1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xmpp_rest.config.table import Settings


def described_files(settings: Settings) -> Iterator[str]:
    """What the gateway would do with files."""
    files = settings.files
    folder = Path(settings.base) / settings.server.data_dir / files.folder
    where = f"at {files.domain} from {', '.join(files.access)}" if files.domain else "by HTTP alone"
    yield f"keep files in {folder}, and take uploads {where}"


def file_problems(settings: Settings) -> Iterator[str]:
    """What is wrong, a sentence each."""
    domain, gateway = settings.files.domain, settings.gateway
    if not domain:
        return
    if domain != gateway.domain and not domain.endswith(f".{gateway.domain}"):
        yield f"[files] domain = {domain!r}: write {gateway.domain}, or a domain below it such as upload.{gateway.domain}"
    if domain in (gateway.rooms_domain, gateway.conference_domain):
        yield f"[files] domain = {domain!r}: is a domain of rooms; write {gateway.domain}, or another one below it"


def file_remarks(settings: Settings) -> Iterator[str]:
    """What is valid, but rarely intended."""
    files = settings.files
    if files.domain and "files.service" in settings.given and files.service:
        yield f"[files] service: is not asked, as {files.domain} has an upload service of its own; write domain = with no value to ask it"


def link_remark(settings: Settings) -> Iterator[str]:
    """That links to files lead to the address the gateway listens at."""
    if settings.link.kind == "component" and settings.files.domain and not settings.server.public_url:
        yield f"[server] public_url: is not set, so links to files will begin with {default_url(settings)}, where others find nothing"


def default_url(settings: Settings) -> str:
    """The gateway's address where `public_url` is not set: the first place at which it listens for TCP."""
    scheme = "https" if settings.server.certificate else "http"
    place = next((str(bind) for bind in settings.server.bind if not bind.path), "localhost")
    return f"{scheme}://{place}"
