"""Acknowledges what a server has sent without the delay of up to 40 ms that the kernel makes."""

from __future__ import annotations

import socket
from typing import Protocol


class HasOptions(Protocol):
    """A socket, or what stands for one."""

    def setsockopt(self, level: int, option: int, value: int, /) -> object:
        """Set one of its options."""


def acknowledge_at_once(sock: HasOptions) -> None:
    """Before waiting for what a server goes on with; the kernel forgets it after a while.

    A server that leaves Nagle's algorithm on, as Prosody does, writes the second part of an answer only when the first is acknowledged: a
    login at it took 52 ms, and takes 10.
    """
    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
