"""One stanza payload and its object for every field of the tables, both ways: kind, object, XML inside the stanza."""

from __future__ import annotations

from typing import Any

FORWARDED_MESSAGE = """<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>
    <message xmlns='jabber:client' from='ROMEO@montague.example' to='juliet@capulet.example' type='chat' id='n1' xml:lang='it'>
    <body>Deny thy father</body><nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick>
    <payload xmlns='urn:xmpp:json-msg:0'>[1]</payload><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set>
    <forwarded xmlns='urn:xmpp:forward:0'/></message></forwarded>"""
FORWARDED = {
    "delay": "2010-07-10T23:08:25Z",
    "message": {
        "from": "ROMEO@montague.example",  # as it stands
        "to": "juliet@capulet.example",
        "type": "chat",
        "id": "n1",
        "lang": "it",
        "body": "Deny thy father",
        "nick": "Romeo",
        "payload": {"data": [1]},
        "rsm": {"max": 1},
        "forwarded": {},
    },
}
SCHEMA_FORM = {
    "type": "form",
    "title": "T",
    "instructions": "I",
    "fields": [
        {"var": "a", "type": "list-multi", "label": "L", "desc": "D", "required": True, "values": ["1", ""]},
        {"var": "b", "options": [{"label": "One", "value": "1"}, {"value": "2"}]},
    ],
}
SCHEMA_FORM_XML = """<x xmlns='jabber:x:data' type='form'><title>T</title><instructions>I</instructions>
    <field var='a' type='list-multi' label='L'><desc>D</desc><required/><value>1</value><value/></field>
    <field var='b'><option label='One'><value>1</value></option><option><value>2</value></option></field></x>"""
FULL_FORM = {
    "type": "form",
    "title": "T",
    "instructions": "I",
    "fields": [
        {"var": "a", "type": "text-single", "label": "L", "desc": "D", "required": True, "value": "1"},
        {"var": "b", "type": "list-single", "value": "x", "options": [{"label": "X", "value": "x"}]},
        {"var": "c", "type": "jid-multi", "value": ["nurse@capulet.example", "romeo@montague.example"]},
    ],
}
FULL_FORM_XML = """<x xmlns='jabber:x:data' type='form'><title>T</title><instructions>I</instructions>
    <field var='a' type='text-single' label='L'><desc>D</desc><required/><value>1</value></field>
    <field var='b' type='list-single'><value>x</value><option label='X'><value>x</value></option></field>
    <field var='c' type='jid-multi'><value>nurse@capulet.example</value><value>romeo@montague.example</value></field></x>"""
PAGE = {"max": 10, "count": 800, "index": 0, "after": "a", "before": "", "first": "f", "last": "l"}
PAGE_XML = """<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><count>800</count><index>0</index><after>a</after><before/>
    <first>f</first><last>l</last></set>"""
REGISTRATION = [
    *("username", "password", "instructions", "nick", "name", "first", "last", "email", "address", "city", "state"),
    *("zip", "phone", "url", "date", "misc", "text", "key"),
]

COMMON: list[tuple[dict[str, Any], str]] = [
    ({"delay": "2024-01-15T10:00:00Z"}, "<delay xmlns='urn:xmpp:delay' stamp='2024-01-15T10:00:00Z'/>"),
    ({"nick": "Jules"}, "<nick xmlns='http://jabber.org/protocol/nick'>Jules</nick>"),
    (
        {"payload": {"datatype": "urn:example:balcony", "data": {"a": [1, 0.5, None, "\u0007"]}}},
        "<payload xmlns='urn:xmpp:json-msg:0' datatype='urn:example:balcony'>{\"a\":[1,0.5,null,\"\\u0007\"]}</payload>",
    ),
    ({"rsm": PAGE}, PAGE_XML),
    ({"dataform": FULL_FORM}, FULL_FORM_XML),
]
MESSAGE: list[tuple[dict[str, Any], str]] = [
    ({"body": "Hi\n<&>"}, "<body>Hi\n&lt;&amp;&gt;</body>"),
    ({"subject": "s"}, "<subject>s</subject>"),
    ({"thread": {"id": "t", "parent": "p"}}, "<thread parent='p'>t</thread>"),
    ({"state": "composing"}, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
    (
        {"html": "<body><p>hello <em title='a'>you</em></p></body>"},
        "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
        "<p>hello <em title='a'>you</em></p></body></html>",
    ),
    (
        {"invite": {"jid": "balcony@rooms.capulet.example", "reason": "r", "password": "p", "thread": "t", "continue": True}},
        "<x xmlns='jabber:x:conference' jid='balcony@rooms.capulet.example' reason='r' password='p' thread='t' continue='1'/>",
    ),
    ({"replace": "x1"}, "<replace xmlns='urn:xmpp:message-correct:0' id='x1'/>"),
    ({"attach_to": "x1"}, "<attach-to xmlns='urn:xmpp:message-attaching:1' id='x1'/>"),
    ({"encryption": "urn:xmpp:omemo:2"}, "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>"),
    ({"fallback": True}, "<fallback xmlns='urn:xmpp:fallback:0'/>"),
    ({"markable": True}, "<markable xmlns='urn:xmpp:chat-markers:0'/>"),
    ({"displayed": "x1"}, "<displayed xmlns='urn:xmpp:chat-markers:0' id='x1'/>"),
    ({"occupant_id": "x1"}, "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='x1'/>"),
    (
        {"stanza_ids": [{"id": "1", "by": "capulet.example"}, {"id": "2"}]},
        "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='capulet.example'/><stanza-id xmlns='urn:xmpp:sid:0' id='2'/>",
    ),
    (
        {"reactions": {"id": "x1", "reactions": ["👋", ""]}},
        "<reactions xmlns='urn:xmpp:reactions:0' id='x1'><reaction>👋</reaction><reaction/></reactions>",
    ),
    (
        {"reference": {"type": "mention", "uri": "xmpp:juliet@capulet.example", "begin": 0, "end": 6}},
        "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:juliet@capulet.example' begin='0' end='6'/>",
    ),
    ({"reply": {"id": "x1", "to": "ANY text"}}, "<reply xmlns='urn:xmpp:reply:0' id='x1' to='ANY text'/>"),
    ({"forwarded": FORWARDED}, FORWARDED_MESSAGE),
    (
        {"archive": {"id": "28482", "queryid": "f27", "forward": FORWARDED}},
        f"<result xmlns='urn:xmpp:mam:2' id='28482' queryid='f27'>{FORWARDED_MESSAGE}</result>",
    ),
]
PRESENCE: list[tuple[dict[str, Any], str]] = [
    ({"show": "dnd"}, "<show>dnd</show>"),
    ({"status": "s"}, "<status>s</status>"),
    ({"priority": -1}, "<priority>-1</priority>"),
    (
        {"caps": {"hash": "sha-1", "node": "n", "ver": "v", "ext": "e"}},
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v' ext='e'/>",
    ),
    ({"idle_since": "1969-07-21T02:56:15Z"}, "<idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/>"),
    ({"vcard_update": {"photo": ""}}, "<x xmlns='vcard-temp:x:update'><photo/></x>"),
    ({"vcard_update": {}}, "<x xmlns='vcard-temp:x:update'/>"),
    (
        {"muc": {"history": {"maxchars": 1, "maxstanzas": 2, "seconds": 3, "since": "1970-01-01T00:00:00Z"}}},
        "<x xmlns='http://jabber.org/protocol/muc'><history maxchars='1' maxstanzas='2' seconds='3' since='1970-01-01T00:00:00Z'/></x>",
    ),
]
IQ: list[tuple[dict[str, Any], str]] = [
    ({"ping": True}, "<ping xmlns='urn:xmpp:ping'/>"),
    (
        {"version": {"name": "n", "version": "v", "os": "o"}},
        "<query xmlns='jabber:iq:version'><name>n</name><version>v</version><os>o</os></query>",
    ),
    ({"lastactivity": {"seconds": 903, "status": "Home"}}, "<query xmlns='jabber:iq:last' seconds='903'>Home</query>"),
    ({"lastactivity": {"status": ""}}, "<query xmlns='jabber:iq:last'/>"),
    ({"oob": {"url": "u", "desc": "d"}}, "<query xmlns='jabber:iq:oob'><url>u</url><desc>d</desc></query>"),
    (
        {"stats": [{"name": "time/uptime", "unit": "seconds", "value": 3054635}, {"value": 0.1}]},
        "<query xmlns='http://jabber.org/protocol/stats'>"
        "<stat name='time/uptime' unit='seconds' value='3054635'/><stat value='0.1'/></query>",
    ),
    (
        {"gateway": {"prompt": "p", "jid": "j", "desc": "d"}},
        "<query xmlns='jabber:iq:gateway'><prompt>p</prompt><jid>j</jid><desc>d</desc></query>",
    ),
    (
        {"register": {"registered": True, "remove": True, **{n: f"v-{n}" for n in REGISTRATION}}},
        "<query xmlns='jabber:iq:register'><registered/><remove/>"
        + "".join(f"<{n}>v-{n}</{n}>" for n in REGISTRATION)
        + "</query>",
    ),
    (
        {
            "extdisco": {
                "type": "turn",
                "services": [
                    {
                        "type": "turn",
                        "host": "h",
                        "transport": "udp",
                        "username": "u",
                        "password": "p",
                        "name": "n",
                        "expires": "2024-01-01T00:00:00Z",
                        "port": 3478,
                        "restricted": False,
                    },
                    {"host": "i"},
                ],
            }
        },
        "<services xmlns='urn:xmpp:extdisco:2' type='turn'><service type='turn' host='h' transport='udp' username='u' password='p' "
        "name='n' expires='2024-01-01T00:00:00Z' port='3478' restricted='0'/><service host='i'/></services>",
    ),
    (
        {"upload_request": {"filename": "a.jpg", "size": 10, "content-type": "image/jpeg"}},
        "<request xmlns='urn:xmpp:http:upload:0' filename='a.jpg' size='10' content-type='image/jpeg'/>",
    ),
    (
        {"upload_slot": {"put": {"url": "p", "headers": [{"name": "Cookie", "value": "c"}]}, "get": {"url": "g"}}},
        "<slot xmlns='urn:xmpp:http:upload:0'><put url='p'><header name='Cookie'>c</header></put><get url='g'/></slot>",
    ),
    (
        {"archive": {"queryid": "f27", "form": SCHEMA_FORM, "page": PAGE}},
        f"<query xmlns='urn:xmpp:mam:2' queryid='f27'>{SCHEMA_FORM_XML}{PAGE_XML}</query>",
    ),
    ({"result": {"page": PAGE}}, f"<fin xmlns='urn:xmpp:mam:2'>{PAGE_XML}</fin>"),
    ({"disco": True}, "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
    ({"disco": "n"}, "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>"),
    (
        {
            "disco": {
                "node": "n",
                "identities": [{"category": "server", "type": "im", "name": "Verona"}, {"category": "pubsub", "type": "pep"}],
                "features": ["urn:xmpp:ping", "urn:xmpp:mam:2"],
                "extensions": {"urn:example:a": {"k": ["1", "2"], "none": []}, "urn:example:b": {}},
            }
        },
        "<query xmlns='http://jabber.org/protocol/disco#info' node='n'><identity category='server' type='im' name='Verona'/>"
        "<identity category='pubsub' type='pep'/><feature var='urn:xmpp:ping'/><feature var='urn:xmpp:mam:2'/>"
        "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:example:a</value></field>"
        "<field var='k'><value>1</value><value>2</value></field><field var='none'/></x>"
        "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:example:b</value></field></x></query>",
    ),
    ({"items": True}, "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
    ({"items": "n"}, "<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>"),
    (
        {"items": [{"jid": "a.example", "node": "n", "name": "N"}, {"jid": "b.example"}]},
        "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='a.example' node='n' name='N'/><item jid='b.example'/></query>",
    ),
    (
        {"command": {"node": "n", "action": "next", "sessionid": "s", "status": "executing", "form": FULL_FORM}},
        "<command xmlns='http://jabber.org/protocol/commands' node='n' action='next' sessionid='s' status='executing'>"
        + FULL_FORM_XML
        + "</command>",
    ),
    (
        {"command": {"actions": {"execute": "next", "next": True, "prev": True, "complete": True}}},
        "<command xmlns='http://jabber.org/protocol/commands'><actions execute='next'><next/><prev/><complete/></actions></command>",
    ),
    (
        {"command": {"note": {"type": "info", "text": "done"}}},
        "<command xmlns='http://jabber.org/protocol/commands'><note type='info'>done</note></command>",
    ),
]
SAMPLES: list[tuple[str, dict[str, Any], str]] = [
    *((kind, obj, xml) for kind in ("message", "presence", "iq") for obj, xml in COMMON),
    *(("message", obj, xml) for obj, xml in MESSAGE),
    *(("presence", obj, xml) for obj, xml in PRESENCE),
    *(("iq", obj, xml) for obj, xml in IQ),
]
