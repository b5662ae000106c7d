"""A file as messages tell of it: the payload that clients show a picture for (files §2.3)."""

from __future__ import annotations

import base64
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.namespaces import FALLBACK, FILE_METADATA, FILE_SHARING, HASHES, OOB_X, URL_DATA
from xmpp_rest.protocol.stanza import child, make


class SharedFile(NamedTuple):
    """A file that can be had at `url`. `sha256`: in hex; `inline`: whether clients should show it; sizes of a picture or film if known."""

    url: str
    name: str
    size: int
    media_type: str
    sha256: str
    inline: bool
    width: int | None = None
    height: int | None = None


def payload_of(file: SharedFile) -> tuple[Element, ...]:
    """The children of the message that sends a file.

    Gajim, Dino and Conversations show a file only if the body and the OOB URL are the same text, and nothing else is in the body.
    """
    oob = make(f"{{{OOB_X}}}x", child(f"{{{OOB_X}}}url", file.url))
    fallback = make(f"{{{FALLBACK}}}fallback", child(f"{{{FALLBACK}}}body"), for_=FILE_SHARING)
    return child("body", file.url), oob, _sharing(file), fallback


def _sharing(file: SharedFile) -> Element:
    """XEP-0447, with the metadata of XEP-0446."""
    texts = {"media-type": file.media_type, "name": file.name, "size": file.size, "width": file.width, "height": file.height}
    metadata = make(
        f"{{{FILE_METADATA}}}file",
        *(child(f"{{{FILE_METADATA}}}{name}", str(text)) for name, text in texts.items() if text is not None),
        child(f"{{{HASHES}}}hash", base64.b64encode(bytes.fromhex(file.sha256)).decode(), algo="sha-256"),
    )
    sources = make(f"{{{FILE_SHARING}}}sources", child(f"{{{URL_DATA}}}url-data", target=file.url))
    return make(f"{{{FILE_SHARING}}}file-sharing", metadata, sources, disposition="inline" if file.inline else "attachment")
