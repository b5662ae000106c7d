"""The certificate of the server: each mistake is named with section and key, before anything begins."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.certificate import Certificate, make_certificate
from xmpp_rest.config.certificates import BadCertificate, problems, tls_context
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificate, Certificate]:
    """Two, of which neither key fits the other certificate."""
    one, other = (make_certificate(tmp_path_factory.mktemp("certificate")) for _ in range(2))
    return one, other


def settings(folder: Path, certificate: str, key: str) -> Settings:
    (folder / "wsgi.ini").write_text(f"[server]\ncertificate = {certificate}\nkey = {key}\n")
    return load_settings(folder / "wsgi.ini", {})


def test_none(tmp_path: Path) -> None:
    assert tls_context(settings(tmp_path, "", "")) is None
    assert list(problems(settings(tmp_path, "", ""))) == []


def test_one_that_is_relative_to_the_configuration(made: tuple[Certificate, Certificate]) -> None:
    folder = Path(made[0].cert).parent
    found = settings(folder, "cert.pem", "key.pem")
    assert list(problems(found)) == []
    context = tls_context(found)
    assert context is not None
    assert context.minimum_version.name == "TLSv1_2"


def both_in_one(folder: Path) -> None:
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())


def with_password(folder: Path) -> None:
    command = ["openssl", "pkey", "-aes128", "-passout", "pass:secret", "-in", str(folder / "key.pem"), "-out", str(folder / "locked.pem")]
    subprocess.run(command, check=True, capture_output=True)


def half(folder: Path) -> None:
    (folder / "half.pem").write_text((folder / "cert.pem").read_text()[:200])


def nothing(_: Path) -> None:
    """Nothing more is needed."""


CASES: dict[str, tuple[str, str, Callable[[Path], None], tuple[str, ...]]] = {
    "no key": ("cert.pem", "", nothing, ("[server] key: is missing", "both")),
    "no certificate": ("", "key.pem", nothing, ("[server] certificate: is missing", "both")),
    "no file": ("gone.pem", "key.pem", nothing, ("[server] certificate = gone.pem: cannot be read: No such file",)),
    "no file of a key": ("cert.pem", "gone.pem", nothing, ("[server] key = gone.pem: cannot be read",)),
    "a folder": (".", "key.pem", nothing, ("[server] certificate = .: cannot be read: Is a directory",)),
    "exchanged": ("key.pem", "cert.pem", nothing, ("[server] certificate = key.pem: holds no certificate",)),
    "no key in the file": ("cert.pem", "cert.pem", nothing, ("[server] key = cert.pem: holds no key",)),
    "a password": ("cert.pem", "locked.pem", with_password, ("[server] key = locked.pem: is protected by a password",)),
    "cut off": ("half.pem", "key.pem", half, ("[server] certificate = half.pem: cannot be used",)),
    "another key": ("cert.pem", "other.pem", nothing, ("[server] key = other.pem: does not fit the certificate",)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake(made: tuple[Certificate, Certificate], case: str) -> None:
    certificate, key, prepare, says = CASES[case]
    folder = Path(made[0].cert).parent
    (folder / "other.pem").write_text(Path(made[1].key).read_text())
    prepare(folder)
    (sentence,) = problems(settings(folder, certificate, key))
    for words in says:
        assert words in sentence


def test_one_file_for_both(made: tuple[Certificate, Certificate]) -> None:
    folder = Path(made[0].cert).parent
    both_in_one(folder)
    assert list(problems(settings(folder, "both.pem", "both.pem"))) == []


def test_a_mistake_is_an_error(made: tuple[Certificate, Certificate]) -> None:
    with pytest.raises(BadCertificate):
        tls_context(settings(Path(made[0].cert).parent, "cert.pem", ""))
