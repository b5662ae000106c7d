"""Room ownership by iq: the configuration form, and destroying a room (XEP-0045 §10: muc#owner)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.forms import FORM, field, read_form
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.muc.configure import Configuration
from xmpp_rest.service.muc.notices import OWNER
from xmpp_rest.service.muc.options import OPTIONS, Form, read_option
from xmpp_rest.service.muc.room import Room
from xmpp_rest.service.muc.rooms import MucRooms

CONFIG = f"{MUC}#roomconfig"
_BOOLEANS = {"1": "true", "0": "false"}
# the field `whois` names who sees addresses, the option `anonymous` whether only moderators do
_WHOIS = {"moderators": "true", "anyone": "false"}
FORMS = {name: option.form for name, option in OPTIONS.items() if option.form}
BY_VAR = {form.var: name for name, form in FORMS.items()}


class OwnerQueries:
    """Answers `<query xmlns='…muc#owner'/>`. Raises StanzaRefused, GatewayError, StorageError."""

    def __init__(self, rooms: MucRooms, configuration: Configuration) -> None:
        self._rooms = rooms
        self._configuration = configuration

    def get(self, iq: Element, asker: JID, name: str) -> Element:
        """The configuration form with the present values (§10.2)."""
        with self._rooms.held(name) as room:
            _require_owner(room, asker)
            return make(f"{OWNER}query", _form(room))

    def set(self, iq: Element, asker: JID, name: str) -> None:
        """Configure the room, or destroy it."""
        form, destroy = iq[0].find(f"{FORM}x"), iq[0].find(f"{OWNER}destroy")
        with self._rooms.held(name) as room:
            _require_owner(room, asker)
            if destroy is not None:
                reason, password = (destroy.findtext(f"{OWNER}{part}", "") for part in ("reason", "password"))
                self._configuration.destroy(room, reason, destroy.get("jid", ""), password)
            elif form is None:
                raise StanzaRefused("bad-request", "send a form of type submit or cancel, or <destroy/>")
            else:
                self._form(room, form)

    def _form(self, room: Room, form: Element) -> None:
        if form.get("type") == "cancel":
            if not room.configured:  # §10.1.3: the creation is cancelled
                self._configuration.destroy(room)
            return
        if form.get("type") != "submit":
            raise StanzaRefused("bad-request", "send a form of type submit or cancel")
        options = _options(read_form(form))
        after = room.options | options
        if after["password_protected"] == "true" and not after["password"]:  # noqa: S105
            raise StanzaRefused("not-acceptable", "a room that asks for a password needs one")
        self._configuration.change(room, options)


def _require_owner(room: Room, asker: JID) -> None:
    if room.affiliation(asker) != "owner":
        raise StanzaRefused("forbidden", "only owners may do this")


def _options(fields: dict[str, list[str]]) -> dict[str, str]:
    """The options that a submitted form sets; unknown variables are ignored. Raises StanzaRefused."""
    options = {}
    for var, values in fields.items():
        name = BY_VAR.get(var)
        if name is None:
            continue
        try:
            options[name] = read_option(name, _value(name, values))
        except GatewayError as e:
            raise StanzaRefused("not-acceptable", f"{var}: {e.text}") from e
    return options


def _value(name: str, values: list[str]) -> str:
    kind = FORMS[name].type
    if kind == "list-multi":
        return ",".join(values)
    text = "\n".join(values)
    if name == "anonymous":
        return _WHOIS.get(text, text)
    return _BOOLEANS.get(text, text) if kind == "boolean" else text


def _form(room: Room) -> Element:
    title, hidden = child(f"{FORM}title", f"Configuration of {room.jid}"), field(CONFIG, type="hidden", var="FORM_TYPE")
    fields = [_field(form, _to_form(name, room.options[name])) for name, form in FORMS.items()]
    return make(f"{FORM}x", title, hidden, *fields, type="form")


def _to_form(name: str, value: str) -> list[str]:
    if name == "anonymous":
        return ["moderators" if value == "true" else "anyone"]
    if name == "presence_broadcast":
        return [role for role in value[1:-1].split(",") if role]
    if FORMS[name].type == "boolean":
        return ["1" if value == "true" else "0"]
    return [value]


def _field(form: Form, values: list[str]) -> Element:
    element = field(*values, var=form.var, type=form.type, label=form.label)
    element.extend(make(f"{FORM}option", child(f"{FORM}value", choice), label=choice) for choice in form.choices)
    return element
