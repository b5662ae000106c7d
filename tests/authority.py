"""An authority of the tests, and certificates of every kind that it issues or does not; made with openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Certificate(NamedTuple):
    """PEM files."""

    chain: Path
    key: Path

    def context(self, *protocols: str) -> ssl.SSLContext:
        """A server's context with this certificate, which has these for ALPN."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context


class Authority:
    """Issues certificates below a folder; `ca_file` is what has to be trusted for them. Skips the test without openssl."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl to make a certificate with")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca_file = folder / "authority.pem"
        self._ca_key = folder / "authority.key"
        usage = "keyUsage=critical,keyCertSign,cRLSign"
        files = ("-keyout", str(self._ca_key), "-out", str(self.ca_file))
        _openssl("req", "-x509", *_KEY, "-subj", "/CN=The authority of the tests", "-days", "3650", "-addext", usage, *files)

    def issue(self, *names: str, days: int = 30, usage: str = "serverAuth", subject: str = "/O=Tests") -> Certificate:
        """One for these domains; `days` below 0: it has expired, and with another `usage` it is not for servers."""
        made = self._files(f"{'-'.join(names) or 'none'}-{days}-{usage}")
        request, extensions = made.key.with_suffix(".csr"), made.key.with_suffix(".ext")
        extensions.write_text(f"basicConstraints=critical,CA:FALSE\nextendedKeyUsage={usage}\n{_alternative_names(names)}")
        _openssl("req", *_KEY, "-keyout", str(made.key), "-out", str(request), "-subj", subject)
        signed = ("-CA", str(self.ca_file), "-CAkey", str(self._ca_key), "-extfile", str(extensions), *_validity(days))
        _openssl("x509", "-req", "-in", str(request), *signed, "-out", str(made.chain))
        return made

    def self_signed(self, *names: str) -> Certificate:
        """One that nobody has issued."""
        made = self._files(f"{'-'.join(names)}-self")
        files = ("-keyout", str(made.key), "-out", str(made.chain))
        _openssl("req", "-x509", *_KEY, "-subj", "/O=Tests", "-days", "30", "-addext", _alternative_names(names), *files)
        return made

    def _files(self, stem: str) -> Certificate:
        stem = stem.replace("*", "any").replace("/", "_")
        return Certificate(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")


def _alternative_names(names: tuple[str, ...]) -> str:
    kinds = ("IP" if name.replace(".", "").isdigit() else "DNS" for name in names)
    return "subjectAltName=" + ",".join(f"{kind}:{name}" for kind, name in zip(kinds, names, strict=True)) if names else ""


def _validity(days: int) -> tuple[str, ...]:
    """The options for so many days from now; OpenSSL 3.4 and newer has others for a time that is over."""
    if days < 0 and b"-not_after" in subprocess.run(["openssl", "x509", "-help"], check=True, capture_output=True, timeout=60).stderr:
        return "-not_before", "20200101000000Z", "-not_after", "20210101000000Z"
    return "-days", str(days)


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)
