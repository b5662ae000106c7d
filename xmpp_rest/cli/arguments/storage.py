"""The words of the commands that move stored content: `backup`, `restore`, `import`, `export`, `migrate`."""

from __future__ import annotations

import argparse
from pathlib import Path

SOURCES = "ejabberd+sqlite:…, ejabberd+postgresql:…, ejabberd+dump:…, mongooseim+sqlite:…, mongooseim+postgresql:…, mongooseim+dump:…"
"""As in `importing/readers.py`, which imports all of them."""


def add_backup(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `backup`."""
    parser.epilog = "Nothing that a running gateway accepted before is missing. FILE holds passwords and keys, and only you may read it."
    parser.add_argument("file", metavar="FILE", type=Path, help="what is written, such as gateway.tar.gz; it must not exist")
    parser.add_argument("--without-storage", action="store_true", help="leave the storage out, for a database that has backups of its own")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_restore(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `restore`."""
    parser.epilog = "Nothing is changed unless all of FILE is as it was made, and nothing is removed: what --force replaces is renamed."
    parser.add_argument("file", metavar="FILE", type=Path, help="what `backup` has written")
    parser.add_argument("--to", metavar="DIR", type=Path, help="restore to DIR/wsgi.ini and DIR/data, not where the configuration has them")
    parser.add_argument("--force", action="store_true", help="rename what is there to data.before-TIME")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_import(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.epilog = "docs/importing.md has more."
    parser.add_argument("source", metavar="SOURCE", help=f"a file or folder of XEP-0227, or one of {SOURCES}")
    domain = "import the domain OLD as NEW, in all addresses; for rooms too, and may be given several times"
    parser.add_argument("--domain", metavar="OLD=NEW", type=renaming, action="append", default=[], help=domain)
    parser.add_argument("--dry-run", action="store_true", help="read everything, write nothing, and report what would be done")
    conflict = "what to do with accounts and rooms that are there already (default: skip; fail: stop at the first one)"
    parser.add_argument("--on-conflict", choices=("skip", "replace", "fail"), default="skip", help=conflict)
    parser.add_argument("--quiet", action="store_true", help="print neither progress nor what is left out, only the table at the end")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    parser.epilog = "docs/importing.md says what the file holds. It holds passwords: only its owner can read it."
    file = "the file to write; or a folder that is there, for a file of each account, as Prosody's mod_storage_xep0227 has them"
    parser.add_argument("--xep-0227", metavar="FILE", dest="file", required=True, type=Path, help=file)
    parser.add_argument("--domain", metavar="DOMAIN", type=domain, help="the domain whose accounts are exported (default: the gateway's)")
    about = "write SCRAM credentials as ejabberd's import_piefxis reads them: encoded twice"
    parser.add_argument("--for-ejabberd", action="store_true", help=about)


def add_migrate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `migrate`."""
    parser.description = "Copy every store of one storage to another, and compare. Started again, it goes on where it was interrupted."
    parser.add_argument("source", metavar="FROM", help="storage URL, such as flatfile:/var/lib/prosody")
    parser.add_argument("target", metavar="TO", help="storage URL, such as sqlite:gateway.sqlite")
    parser.add_argument("--dry-run", action="store_true", help="read everything, write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace what differs in TO (it is reported and left alone otherwise)")
    parser.add_argument("--quiet", action="store_true", help="show no progress, only problems and the result")


def domain(text: str) -> str:
    """The domain that is written. Raises ArgumentTypeError."""
    from xmpp_rest.protocol.prep import PrepError, nameprep

    try:
        return nameprep(text)
    except PrepError as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not a domain: {e}") from e


def renaming(text: str) -> tuple[str, str]:
    """The two domains that are written as OLD=NEW. Raises ArgumentTypeError."""
    old, sign, new = text.partition("=")
    if not (sign and old and new):
        raise argparse.ArgumentTypeError(f"{text!r}: write the domain in SOURCE, =, and the domain here")
    return domain(old), domain(new)
