"""`xmpp-rest send JID [TEXT|-]`: sends a message from a script; the exit code is its outcome."""

from __future__ import annotations

import argparse
import sys
from xml.etree.ElementTree import Element

from xmpp_rest.cli.gateway import alone, running
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Wait

DECIDED = ("confirmed", "delivered")
MAX_TEXT = 1 << 20  # characters


def run(load: Load, options: argparse.Namespace) -> int:
    """Send the message; the exit code. Raises SettingsError, StorageError, OSError."""
    settings = load()
    sender: JID = options.sender or settings.auth.admins[0]
    text = sys.stdin.read(MAX_TEXT + 1).rstrip("\n") if options.text == "-" else options.text
    if sender.domain != settings.gateway.domain:
        return _say(Exit.USAGE, f"--from: {sender} is not at {settings.gateway.domain}, which this gateway hosts")
    if not text or len(text) > MAX_TEXT:
        return _say(Exit.DATAERR if text else Exit.USAGE, f"write a text of 1 to {MAX_TEXT} characters")
    payload = [child("subject", options.subject)] if options.subject else []
    kind = "" if options.type == "normal" else options.type
    message = make("message", *payload, child("body", text), type_=kind, id_=new_id(), from_=str(sender), to_=str(options.to))
    try:
        serialise(message)  # text that XML cannot hold is refused without a gateway
        with running(settings) as gateway:
            if gateway:
                return _send_through(gateway, message, sender, options.to, options.wait)
            return _send_offline(settings, message, sender, options)
    except BadXML as e:
        return _say(Exit.DATAERR, str(e))
    except GatewayError as e:
        if e.name == "link-down":
            raise
        return _say(Exit.TEMPFAIL if e.row.status == 503 else Exit.REFUSED, e.text)


def _send_through(gateway: LeaderClient, message: Element, sender: JID, to: JID, seconds: float) -> int:
    (result,) = gateway.call(Sending.send_batch, stanzas=OutboundMessages([OutboundMessage(message, sender, to)]))
    if isinstance(result, Exception):
        raise result
    if result is not None:
        return _refused(result)
    outcome = gateway.call(Sending.decided, sender=sender, identifier=message.get("id"), wait=Wait(seconds))
    if outcome and outcome.refusal is not None:
        return _refused(outcome.refusal)
    if outcome and outcome.state in DECIDED:
        return Exit.DONE
    return _say(Exit.TEMPFAIL, f"it is kept; the server has not confirmed it within {seconds:g} seconds")


def _send_offline(settings: Settings, message: Element, sender: JID, options: argparse.Namespace) -> int:
    """Deliver to a hosted account without a running gateway, if --offline is given."""
    with alone(settings, options.offline) as gateway:
        refusal = gateway.parts.sending.send(message, sender, options.to)
    return Exit.DONE if refusal is None else _refused(refusal)


def _refused(stanza: Element) -> int:
    error = condition_of(stanza)
    return _say(Exit.REFUSED, f"{stanza.get('from')}: {error.condition}" + (f": {error.text}" if error.text else ""))


def _say(code: int, text: str) -> int:
    print(f"xmpp-rest send: {text}", file=sys.stderr)
    return code
