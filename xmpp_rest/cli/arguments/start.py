"""The words of `init`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_init(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `init`."""
    parser.epilog = "Everything is checked before anything is written. What is not given is in the file as a comment, with its default."
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, default=Path(), help="where (default: the current folder)")
    parser.add_argument("--domain", metavar="DOMAIN", type=domain, help="the hosted domain (default: localhost)")
    where = "address and port to listen on, or unix:PATH; several are separated by commas (default: 127.0.0.1:8080)"
    parser.add_argument("--bind", metavar="HOST:PORT", type=binds, help=where)
    link = "attach the domain as a component to the XMPP server that listens there; needs --secret-file"
    parser.add_argument("--link", metavar="HOST:PORT", type=server, help=link)
    about = "the file with the secret that the XMPP server knows for the component; the gateway reads it at each start"
    parser.add_argument("--secret-file", metavar="FILE", type=file_path, help=about)
    about = "the file with the password of the administrator (default: a random one, in DIR/data/admin-password)"
    parser.add_argument("--admin-password-file", metavar="FILE", type=Path, help=about)


def domain(text: str) -> str:
    """The domain that is written. Raises ArgumentTypeError."""
    from xmpp_rest.config.readers import domain_name

    try:
        return domain_name(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text!r}: {e}") from e


def binds(text: str) -> str:
    """Addresses to listen on, with absolute paths. Raises ArgumentTypeError."""
    from xmpp_rest.config.binds import parse

    try:
        return ", ".join(f"unix:{file_path(bind.path)}" if bind.path else str(bind) for bind in parse(text))
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text!r}: {e}") from e


def server(text: str) -> tuple[str, str]:
    """Host and port of a server. Raises ArgumentTypeError."""
    from xmpp_rest.config.readers import host_name, number

    host, _, port = text.rpartition(":")
    try:
        number(1, 65535)(port)
        return host_name(host), port
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text!r}: write HOST:PORT, such as 127.0.0.1:5347 ({e})") from e


def file_path(text: str) -> Path:
    """The absolute path of a file, as a configuration can name it. Raises ArgumentTypeError."""
    path = Path.cwd() / text
    if not str(path).isprintable() or str(path).strip() != str(path) or " ;" in text or " #" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: a configuration cannot name this path; rename the file")
    return path
