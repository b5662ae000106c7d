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
MUC_USER = f"{MUC}#user"  # XEP-0045
MUC_LIGHT = "urn:xmpp:muclight:0"  # XEP Multi-User Chat Light (ProtoXEP)
PRIVACY = "jabber:iq:privacy"  # XEP-0016
PING = "urn:xmpp:ping"  # XEP-0199
RECEIPTS = "urn:xmpp:receipts"  # XEP-0184
ROSTER = "jabber:iq:roster"  # RFC 6121 §2.1
VERSION = "jabber:iq:version"  # XEP-0092

XML_LANG = f"{{{XML}}}lang"

ATTACH = "urn:xmpp:message-attaching:1"  # XEP-0367
CAPS = "http://jabber.org/protocol/caps"  # XEP-0115
CHAT_MARKERS = "urn:xmpp:chat-markers:0"  # XEP-0333
CHAT_STATES = "http://jabber.org/protocol/chatstates"  # XEP-0085
COMMANDS = "http://jabber.org/protocol/commands"  # XEP-0050
CONFERENCE = "jabber:x:conference"  # XEP-0249
CORRECT = "urn:xmpp:message-correct:0"  # XEP-0308
DATA_FORMS = "jabber:x:data"  # XEP-0004
DELAY = "urn:xmpp:delay"  # XEP-0203
ENCRYPTION = "urn:xmpp:eme:0"  # XEP-0380
EXTDISCO = "urn:xmpp:extdisco:2"  # XEP-0215
FALLBACK = "urn:xmpp:fallback:0"  # XEP-0428
FORWARD = "urn:xmpp:forward:0"  # XEP-0297
GATEWAY = "jabber:iq:gateway"  # XEP-0100
HINTS = "urn:xmpp:hints"  # XEP-0334
IDLE = "urn:xmpp:idle:1"  # XEP-0319
JSON_MSG = "urn:xmpp:json-msg:0"  # XEP-0432
NICK = "http://jabber.org/protocol/nick"  # XEP-0172
OCCUPANT_ID = "urn:xmpp:occupant-id:0"  # XEP-0421
OOB_IQ = "jabber:iq:oob"  # XEP-0066
OOB_X = "jabber:x:oob"  # XEP-0066
PROPERTIES = "http://www.jivesoftware.com/xmlns/xmpp/properties"  # Smack; spec client-api §5.1
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"  # XEP-0060
REACTIONS = "urn:xmpp:reactions:0"  # XEP-0444
REFERENCE = "urn:xmpp:reference:0"  # XEP-0372
REGISTER = "jabber:iq:register"  # XEP-0077
REPLY = "urn:xmpp:reply:0"  # XEP-0461
RSM = "http://jabber.org/protocol/rsm"  # XEP-0059
STANZA_ID = "urn:xmpp:sid:0"  # XEP-0359
STATS = "http://jabber.org/protocol/stats"  # XEP-0039
UPLOAD = "urn:xmpp:http:upload:0"  # XEP-0363
VCARD_UPDATE = "vcard-temp:x:update"  # XEP-0153
XHTML = "http://www.w3.org/1999/xhtml"
XHTML_IM = "http://jabber.org/protocol/xhtml-im"  # XEP-0071
