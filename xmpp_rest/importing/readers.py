"""The table of readers: prefix of SOURCE → what opens it. A source without one of these prefixes is a path of XEP-0227."""

from __future__ import annotations

from xmpp_rest.importing import databases
from xmpp_rest.importing.sources import Opener
from xmpp_rest.importing.xep0227 import files

OPENERS: dict[str, Opener] = {
    "": files.opened,
    "xep-0227": files.opened,
    **databases.OPENERS,
}
