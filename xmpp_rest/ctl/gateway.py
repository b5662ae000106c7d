"""How does a command line reach its gateway? Through the socket of the process that owns the link, else the storage itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway import Gateway
from xmpp_rest.link.hub import SOCKET
from xmpp_rest.link.hub_wire import Channel, connect
from xmpp_rest.settings import Settings

AUDIT = "audit.log"  # in the data folder: what was done while no gateway ran that could have written it down


def socket_of(settings: Settings) -> Path:
    """Where the gateway of these settings listens for its other processes."""
    return Path(settings.base) / settings.server.data_dir / SOCKET


class Remote:
    """The running gateway."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Have it do something; what that returned. Raises GatewayError, ConnectionError."""
        self._channel.send({"call": name, "number": 1, "arguments": arguments})
        while (message := self._channel.receive()) is not None:
            if message.get("number") != 1:  # news for all processes
                continue
            if "error" in message:
                raise GatewayError(*message["error"])
            return message["result"]
        raise ConnectionError("the gateway ended before it answered")


@contextmanager
def remote(settings: Settings) -> Iterator[Remote | None]:
    """The running gateway; None if none runs. Raises OSError where it runs, but not for this user."""
    try:
        channel = connect(socket_of(settings))
    except (FileNotFoundError, ConnectionRefusedError):
        yield None
        return
    with closing(channel):
        yield Remote(channel)


@contextmanager
def alone(settings: Settings) -> Iterator[Gateway]:
    """A gateway on the storage, without link, threads and HTTP. Raises StorageError, Taken if one runs from another data folder."""
    gateway = Gateway(settings)
    if settings.link.kind != "none":
        gateway.router.attach(_not_running)
    try:
        gateway.keeper.require_free()
        with audited(settings):
            yield gateway
            gateway.jobs.wait()
    finally:
        gateway.stop()


@contextmanager
def audited(settings: Settings) -> Iterator[None]:
    """What is recorded in this context goes to a file in the data folder, and nowhere else."""
    audit = logging.FileHandler(Path(settings.base) / settings.server.data_dir / AUDIT, encoding="utf-8", delay=True)
    audit.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("xmpp_rest.commands")
    level, logger.propagate = logger.level, False
    logger.addHandler(audit)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(audit)
        logger.setLevel(level)
        logger.propagate = True
        audit.close()


def _not_running(domain: str, stanza: Element) -> NoReturn:
    raise GatewayError("link-down", "The gateway does not run, so nothing can be sent to other domains; start it first")
