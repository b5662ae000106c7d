"""`xmpp-rest send JID [TEXT|-]`: sends a message from a script; the exit code is its outcome."""

from __future__ import annotations

import argparse
import sys
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.cli.gateway import alone, running
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Wait

SENT, REFUSED, WRONG_USAGE, UNREACHABLE, WAITS = 0, 1, 2, 3, 75  # the last one is EX_TEMPFAIL of sysexits.h
CODES = f"exit codes: {SENT} the server has it, {REFUSED} refused, {WRONG_USAGE} wrong usage, {UNREACHABLE} no gateway, {WAITS} it waits"
TYPES = ("normal", "chat", "headline")
DECIDED = ("confirmed", "delivered")
MAX_TEXT = 1 << 20  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `send`."""
    parser.epilog = f"{CODES}: it is kept, and goes out once the server can be reached."
    parser.add_argument("to", metavar="JID", type=_jid, help="to whom")
    parser.add_argument("text", metavar="TEXT", nargs="?", default="-", help="what; `-`, or nothing, reads it from standard input")
    sender = "from whom, at the hosted domain (default: the first of [auth] admins)"
    parser.add_argument("--from", metavar="JID", dest="sender", type=_jid, help=sender)
    parser.add_argument("--subject", default="", help="subject of the message")
    parser.add_argument("--type", choices=TYPES, default="chat", help="type of the message (default: chat)")
    parser.add_argument("--wait", metavar="SECONDS", type=_seconds, default=10.0, help="how long to wait for the server (default: 10)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Send the message; the exit code. Raises StorageError, OSError."""
    sender: JID = options.sender or settings.auth.admins[0]
    text = sys.stdin.read(MAX_TEXT + 1).rstrip("\n") if options.text == "-" else options.text
    if sender.domain != settings.gateway.domain:
        return _say(WRONG_USAGE, f"--from: {sender} is not at {settings.gateway.domain}, which this gateway hosts")
    if not text or len(text) > MAX_TEXT:
        return _say(WRONG_USAGE, f"write a text of 1 to {MAX_TEXT} characters")
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
        return _say(WRONG_USAGE, str(e))
    except GatewayError as e:
        return _say(UNREACHABLE if e.name == "link-down" else WAITS if e.row.status == 503 else REFUSED, e.text)
    except (StorageError, CannotStart, OSError) as e:
        return _say(UNREACHABLE, str(e))


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
        return SENT
    return _say(WAITS, f"it is kept; the server has not confirmed it within {seconds:g} seconds")


def _send_offline(settings: Settings, message: Element, sender: JID, options: argparse.Namespace) -> int:
    """Deliver to a hosted account without a running gateway, if --offline is given."""
    with alone(settings, options.offline) as gateway:
        refusal = gateway.parts.sending.send(message, sender, options.to)
    return SENT if refusal is None else _refused(refusal)


def _refused(stanza: Element) -> int:
    error = condition_of(stanza)
    return _say(REFUSED, f"{stanza.get('from')}: {error.condition}" + (f": {error.text}" if error.text else ""))


def _say(code: int, text: str) -> int:
    print(f"xmpp-rest send: {text}", file=sys.stderr)
    return code


def _jid(text: str) -> JID:
    try:
        return parse_jid(text)
    except InvalidJID as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address ({e})") from e


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds from 0 to 3600")
    return seconds
