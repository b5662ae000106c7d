"""Which XML namespace does a name of XMPP live in? One constant each, with the document that defines it."""

CLIENT = "jabber:client"  # RFC 6120 §4.8.2; the namespace that bare tags stand for in this project
COMPONENT = "jabber:component:accept"  # XEP-0114
STREAMS = "http://etherx.jabber.org/streams"  # RFC 6120 §4.8.1
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"  # RFC 6120 §4.9.2
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"  # RFC 6120 §8.3.2
XML = "http://www.w3.org/XML/1998/namespace"

DISCO_INFO = "http://jabber.org/protocol/disco#info"  # XEP-0030
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"  # XEP-0030
LAST = "jabber:iq:last"  # XEP-0012
MAM = "urn:xmpp:mam:2"  # XEP-0313
MUC = "http://jabber.org/protocol/muc"  # XEP-0045
PING = "urn:xmpp:ping"  # XEP-0199
RECEIPTS = "urn:xmpp:receipts"  # XEP-0184
VERSION = "jabber:iq:version"  # XEP-0092

XML_LANG = f"{{{XML}}}lang"
