"""The client of a gateway that runs: a program such as the command line calls its leader, as a follower does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.calls import result_of
from xmpp_rest.processes.channel import connect
from xmpp_rest.processes.codec import Signature, ValueCodecs
from xmpp_rest.processes.election import SOCKET


class LeaderClient:
    """A connection to the leader of the gateway of this data folder."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError, NotADirectoryError, ConnectionRefusedError where no gateway runs, and other OSErrors."""
        self._channel = connect(folder / SOCKET)
        self._codecs = ValueCodecs(lambda _: GatewayError("internal"))

    def call(self, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Have the leader run a method that Remote offers; what it returned. Raises GatewayError, ConnectionError."""
        signature = Signature(function, self._codecs)
        self._channel.send({"call": function.__qualname__, "number": 1, "arguments": signature.to_json(arguments)})
        while (message := self._channel.receive()) is not None:
            if message.get("number") == 1:  # else it is for all processes
                return signature.result.from_json(result_of(message))
        raise ConnectionError("the gateway ended before it answered")

    def close(self) -> None:
        """End the connection."""
        self._channel.close()
