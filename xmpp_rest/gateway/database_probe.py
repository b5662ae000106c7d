"""Whether the hosts of a database answer at all: libpq would wait ten seconds for one that does not, and a start should not."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

from xmpp_rest.config.storage_url import DATABASES

PATIENCE = 1.0  # seconds; a connection takes a few milliseconds, between continents 300
PORT = "5432"
HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


def silent_hosts(url: str, patience: float = PATIENCE) -> str:
    """The hosts of a database URL, if none of them has answered in time; "" if one has, be it by a refusal, or if there is none to ask."""
    hosts = list(_hosts(url))
    heard = threading.Event()
    for host, port in hosts:
        threading.Thread(target=_knock, args=(host, port, patience, heard), daemon=True).start()  # a daemon: names may take long
    return "" if not hosts or heard.wait(patience) else ", ".join(host for host, _ in hosts)


def _hosts(url: str) -> Iterator[tuple[str, int]]:
    scheme, _, rest = url.partition(":")
    if scheme in DATABASES and rest.startswith("//"):
        for written in re.split(r"[/?]", rest.rpartition("@")[2].removeprefix("//"))[0].split(","):
            match = HOST.fullmatch(written)
            if match and not written.startswith("%"):  # the folder of a socket
                yield match["host"].strip("[]"), int(match["port"] or PORT)


def _knock(host: str, port: int, patience: float, heard: threading.Event) -> None:
    try:
        socket.create_connection((host, port), patience).close()
    except TimeoutError:
        return
    except (OSError, OverflowError, UnicodeError):  # libpq says it better
        heard.set()
    else:
        heard.set()
