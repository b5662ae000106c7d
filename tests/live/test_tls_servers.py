"""The servers of foreign accounts are what the tests take them for."""

from __future__ import annotations

import socket
import ssl

from .child import LOOPBACK
from .tls_servers import FOREIGN, FOREIGN_ROOMS, FOREIGN_UPLOAD, ForeignUser, TLSServer
from .users import EventLoop


def test_a_client_of_its_own_finds_all_that_accounts_need(tls_server: TLSServer, event_loop_thread: EventLoop) -> None:
    romeo = ForeignUser(event_loop_thread, tls_server, "romeo")
    romeo.connect()
    try:
        items = romeo.iq(FOREIGN, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
        assert {FOREIGN_ROOMS, FOREIGN_UPLOAD} <= {item.get("jid") for item in items.iter("{http://jabber.org/protocol/disco#items}item")}
        about = romeo.iq(romeo.bare, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
        assert "urn:xmpp:mam:2" in {feature.get("var") for feature in about.iter("{http://jabber.org/protocol/disco#info}feature")}
    finally:
        romeo.close()


def test_direct_tls_shows_the_certificate_of_the_domain(tls_server: TLSServer) -> None:
    context = ssl.create_default_context(cafile=str(tls_server.authority.ca_file))
    with (
        socket.create_connection((LOOPBACK, tls_server.direct_port), 30) as plain,
        context.wrap_socket(plain, server_hostname=FOREIGN) as connection,
    ):
        assert connection.version() == "TLSv1.3"


def test_a_changed_password_is_in_force_at_once(tls_server: TLSServer, event_loop_thread: EventLoop) -> None:
    tls_server.set_password("mercutio", "a plague on both your houses")
    mercutio = ForeignUser(event_loop_thread, tls_server, "mercutio", password="a plague on both your houses")
    mercutio.connect()
    mercutio.close()
