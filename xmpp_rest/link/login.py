"""The login of a component stream: opening and handshake (XEP-0114 §3), done by xmpppy."""

from __future__ import annotations

import xmpp
from xmpp.protocol import StreamError, stream_exceptions

from xmpp_rest.link.errors import LinkDown, stream_error
from xmpp_rest.link.transport import Transport

_CONDITIONS = {cls: condition for condition, cls in stream_exceptions.items()}


def log_in(domain: str, secret: str, server: tuple[str, int], transport: Transport) -> xmpp.Component:
    """xmpppy's component with an open and accepted stream over `transport`. Raises LinkDown, with the server's reason."""
    component = xmpp.Component(domain, debug=[])  # its default writes the password to standard error
    component.UnregisterDisconnectHandler(component.DisconnectHandler)
    try:
        # Component.connect lacks `transport`; its base has it
        connected = xmpp.client.CommonClient.connect(component, server, transport=transport)
        accepted = connected and component.auth(domain, secret)
    except StreamError as e:
        raise LinkDown(_CONDITIONS.get(type(e), "undefined-condition"), f"{server[0]}:{server[1]} refused the stream") from e
    except (ValueError, KeyError, AttributeError, xmpp.simplexml.xml.parsers.expat.ExpatError) as e:
        raise LinkDown("bad-xml", f"{server[0]}:{server[1]} does not speak XEP-0114: {e}") from e
    if not accepted:
        raise _reason(component, transport)
    return component


def _reason(component: xmpp.Component, transport: Transport) -> LinkDown:
    """xmpppy's auth() answers None whatever happened; the server's own word is on the stream."""
    dispatcher = getattr(component, "Dispatcher", None)
    condition = getattr(getattr(dispatcher, "Stream", None), "streamError", "")
    if condition:
        return stream_error(condition, "the server refused the handshake")
    return transport.failure or LinkDown("refused", "the server ended the login without a reason")
