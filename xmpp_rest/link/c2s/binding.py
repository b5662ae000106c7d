"""What follows SASL: a resource, and XEP-0198, or an earlier stream resumed (accounts-anywhere §4.3, §5.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.c2s.failures import LOGIN_LATER, NO_LOGIN, LoginFailed
from xmpp_rest.link.c2s.login_stream import LoginStream
from xmpp_rest.link.c2s.opened_stream import Resumption, StreamManagement
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import BIND, SESSION, STREAM_MANAGEMENT
from xmpp_rest.protocol.stanza import child, condition_of, is_answer, make, new_id

_SM = f"{{{STREAM_MANAGEMENT}}}"
LONGEST_ID = 4000  # characters of the id of a stream (XEP-0198 §3), which is kept as long as the session
_KINDS = ("iq", "message", "presence")


class BoundSession(NamedTuple):
    """What a stream is for now."""

    jid: JID
    management: StreamManagement | None
    resumed: bool
    acknowledged: int  # as in OpenedStream
    early: list[Element]


class Binding:
    """Makes a session of a stream that is logged in. Raises LoginFailed."""

    def __init__(self, stream: LoginStream, features: Element, account: JID, resource: str) -> None:
        self._stream = stream
        self._features = features
        self._account = account
        self._resource = resource
        self._early: list[Element] = []

    def _failed(self, name: str, detail: str, *, of_account: bool = False) -> LoginFailed:
        return LoginFailed(name, self._account.domain, detail, of_account=of_account)

    def begin(self, resumption: Resumption | None) -> BoundSession:
        """The earlier session, if it is still there; else a new one."""
        managed = self._features.find(f"{_SM}sm") is not None
        acknowledged = 0
        if resumption and managed:
            self._stream.send(make(f"{_SM}resume", previd=resumption.id, h=str(resumption.received)))
            answer = self._await(lambda e: e.tag in (f"{_SM}resumed", f"{_SM}failed"))
            acknowledged = _number(answer.get("h"))
            if answer.tag == f"{_SM}resumed":
                return BoundSession(self._account.at(self._resource), StreamManagement(resumption.id, None), True, acknowledged, [])
        jid = self._bind()
        session = self._features.find(f"{{{SESSION}}}session")
        if session is not None and session.find(f"{{{SESSION}}}optional") is None:
            self._ask(child(f"{{{SESSION}}}session"))
        self._early.clear()  # nothing reaches a session that is not bound
        return BoundSession(jid, self._enable() if managed else None, False, acknowledged, self._early)

    def _bind(self) -> JID:
        """The full address, as the server says. A resource that is taken is left to the server to choose."""
        answer = self._request(self._binding(self._resource))
        if answer.get("type") == "error" and condition_of(answer).condition == "conflict":
            answer = self._request(self._binding(""))
        if answer.get("type") == "error":
            raise self._failed(LOGIN_LATER, f"bind: {condition_of(answer).condition}", of_account=True)
        text = answer.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid") or ""
        try:
            jid = parse_jid(text.strip())
        except InvalidJID as e:
            raise self._failed(NO_LOGIN, "bind without an address", of_account=True) from e
        if jid.bare != self._account or not jid.resource:  # it would be taken for somebody else's session
            raise self._failed(NO_LOGIN, f"bound as {str(jid)[:200]}", of_account=True)
        return jid

    @staticmethod
    def _binding(resource: str) -> Element:
        bind = child(f"{{{BIND}}}bind")
        if resource:
            bind.append(child(f"{{{BIND}}}resource", resource))
        return bind

    def _enable(self) -> StreamManagement | None:
        self._stream.send(make(f"{_SM}enable", resume="true"))
        answer = self._await(lambda e: e.tag in (f"{_SM}enabled", f"{_SM}failed"))
        if answer.tag == f"{_SM}failed":
            return None
        resumable = answer.get("resume") in ("true", "1") and len(answer.get("id", "")) <= LONGEST_ID
        longest = answer.get("max", "")
        return StreamManagement(answer.get("id", "") if resumable else "", float(_number(longest)) if longest else None)

    def _ask(self, payload: Element) -> None:
        """An iq that must succeed."""
        answer = self._request(payload)
        if answer.get("type") == "error":
            raise self._failed(LOGIN_LATER, f"{payload.tag}: {condition_of(answer).condition}", of_account=True)

    def _request(self, payload: Element) -> Element:
        """Send an iq; its answer."""
        name = new_id()
        self._stream.send(make("iq", payload, type="set", id=name))
        return self._await(lambda e: is_answer(e) and e.get("id") == name)

    def _await(self, is_wanted: Callable[[Element], bool]) -> Element:
        """The next element of this kind; stanzas in front of it are kept."""
        while not is_wanted(element := self._stream.read()):
            if element.tag not in _KINDS:
                raise self._failed(NO_LOGIN, f"{element.tag[:100]} behind SASL")
            self._early.append(element)
        return element


def _number(text: str | None) -> int:
    """A count of XEP-0198; 0 for what is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else 0
