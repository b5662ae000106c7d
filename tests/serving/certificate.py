"""Certificates for tests, made with openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest


class Certificate(NamedTuple):
    """Files of one that is signed by itself, for 127.0.0.1."""

    cert: str
    key: str

    def client(self) -> ssl.SSLContext:
        """A context that trusts it."""
        context = ssl.create_default_context(cafile=self.cert)
        context.check_hostname = False
        return context


def make_certificate(folder: Path) -> Certificate:
    """A certificate and its key: cert.pem and key.pem there, in place of others."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    made = Certificate(str(folder / "cert.pem"), str(folder / "key.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.cert], check=True, capture_output=True)
    return made
