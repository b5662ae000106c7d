"""The certificate that the server shows, and its key: `[server] certificate` and `key`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from xmpp_rest.config.table import Settings

MARKS = {"certificate": b"-----BEGIN CERTIFICATE-----", "key": b"PRIVATE KEY-----"}
"""What is in each of the files, at least."""


class BadCertificate(ValueError):
    """The files cannot be used. Its text names section and key."""


def problems(settings: Settings) -> Iterator[str]:
    """What is wrong with the certificate."""
    try:
        tls_context(settings)
    except BadCertificate as e:
        yield str(e)


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What connections are served with; None: the server speaks HTTP. The files are read now. Raises BadCertificate."""
    written = {"certificate": settings.server.certificate, "key": settings.server.key}
    if not any(written.values()):
        return None
    for key, path in written.items():
        if not path:
            raise BadCertificate(f"[server] {key}: is missing; write both certificate and key, or neither")
        _require_pem(key, path, Path(settings.base))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    base = Path(settings.base)
    try:
        context.load_cert_chain(base / written["certificate"], base / written["key"], password=_no_password)
    except ssl.SSLError as e:
        raise BadCertificate(_explained(e, written)) from e
    return context


def _require_pem(key: str, path: str, base: Path) -> None:
    where = f"[server] {key} = {path}"
    try:
        text = (base / path).read_bytes()
    except OSError as e:
        raise BadCertificate(f"{where}: cannot be read: {e.strerror}; write the path of a PEM file that this user may read") from e
    if MARKS[key] not in text:
        raise BadCertificate(f"{where}: holds no {key} in PEM form")
    if key == "key" and b"ENCRYPTED" in text:
        raise BadCertificate(f"{where}: is protected by a password; write one without, which only this user may read")


def _no_password() -> str:
    """OpenSSL would ask at the terminal, in the middle of a start."""
    return ""


def _explained(error: ssl.SSLError, written: dict[str, str]) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"[server] key = {written['key']}: does not fit the certificate ({written['certificate']})"
    reason = (error.reason or str(error)).lower().replace("_", " ")
    return f"[server] certificate = {written['certificate']}: cannot be used with key = {written['key']}: {reason}"
