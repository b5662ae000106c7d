"""Names of elements and attributes in files of XEP-0227. Those of its own namespace are bare, as those in `jabber:client`."""

from __future__ import annotations

PIE = "urn:xmpp:pie:0"
PIE_SCRAM = f"{PIE}#scram"
PIE_MAM = f"{PIE}#mam"
XINCLUDE = "http://www.w3.org/2001/XInclude"
EXTENDED = "http://prosody.im/protocol/extended-xep0227"
"""COMPAT Prosody: other members of an account, as attributes of `user`."""
PUBSUB = "http://jabber.org/protocol/pubsub"
PUBSUB_OWNER = f"{PUBSUB}#owner"
NODE_CONFIG = f"{PUBSUB}#node_config"

SERVER, HOST, USER, OFFLINE = "server-data", "host", "user", "offline-messages"
ARCHIVE = f"{{{PIE_MAM}}}archive"
ITEMS, OWNER_PUBSUB = f"{{{PUBSUB}}}pubsub", f"{{{PUBSUB_OWNER}}}pubsub"
STREAMED = frozenset((OFFLINE, ARCHIVE, ITEMS, OWNER_PUBSUB))
"""Children of `user` that may be large: their children are read one by one."""
BANNED = "{jabber:ejabberd:banned}banned"
"""COMPAT ejabberd (since 24.06): an element of private storage that holds the ban of an account, and its true credentials."""
