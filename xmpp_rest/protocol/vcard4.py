"""Conversion between vCard4 (RFC 6351) and vcard-temp (XEP-0054), by XEP-0292 §2. Nothing is stored here.

A field that only vcard-temp knows is an element of that namespace in the vCard4, which RFC 6351 §5 allows; a field that only vCard4
knows is not converted, and is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.element import is_ncname

VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0"
TEMP = "vcard-temp"
CARD4 = f"{{{VCARD4}}}vcard"
PHOTO = f"{{{TEMP}}}PHOTO"

_DATA = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),(.*)", re.DOTALL)
_NAME = {"surname": "FAMILY", "given": "GIVEN", "additional": "MIDDLE", "prefix": "PREFIX", "suffix": "SUFFIX"}
_ADDRESS = {
    "pobox": "POBOX", "ext": "EXTADD", "street": "STREET", "locality": "LOCALITY",
    "region": "REGION", "code": "PCODE", "country": "CTRY",
}  # fmt: skip


class _Field(NamedTuple):
    """One field in both formats, with the conversions; None: the other format has no equivalent."""

    name4: str
    name: str
    read: Callable[[Element], Element | None]
    write: Callable[[Element], Element | None]


def as_temp(card: Element) -> Element:
    """The vcard-temp equivalent of a vCard4."""
    found = Element(_temp("vCard"))
    for field in card:
        if field.tag.startswith(f"{{{TEMP}}}"):
            found.append(field)
        elif (known := _BY_NAME4.get(field.tag)) and (shown := known.read(field)) is not None:
            found.append(shown)
    return found


def changed(card: Element, wanted: Element) -> Element:
    """The vCard4 with its fields replaced by those of a vcard-temp; equal fields are left unchanged."""
    now = as_temp(card)
    names = {field.tag for field in (*now, *wanted)}
    changing = {name for name in names if [*map(_comparable, now.findall(name))] != [*map(_comparable, wanted.findall(name))]}
    result = Element(card.tag, card.attrib)
    result.extend(field for field in card if not _is_one_of(field, changing))
    result.extend(_to_vcard4(field) for field in wanted if field.tag in changing)
    return result


def same(field: Element, other: Element) -> bool:
    """Whether two fields of a vcard-temp are equivalent."""
    return bool(_comparable(field) == _comparable(other))


def _is_one_of(field: Element, names: set[str]) -> bool:
    """Whether a field of a vCard4 converts to one of these fields."""
    if field.tag.startswith(f"{{{TEMP}}}"):
        return field.tag in names
    known = _BY_NAME4.get(field.tag)
    if known is None or _temp(known.name) not in names:
        return False
    empty = not "".join(field.itertext()).strip()  # COMPAT Prosody: writes empty fields, and reads the first of two
    return empty or known.read(field) is not None


def _to_vcard4(field: Element) -> Element:
    """A field of a vcard-temp for a vCard4; unchanged if the conversion would lose something."""
    known = _BY_NAME.get(field.tag)
    written = known.write(field) if known else None
    if known is None or written is None:
        return field
    back = known.read(written)
    return written if back is not None and _comparable(back) == _comparable(field) else field


def _comparable(field: Element) -> Any:
    """A key that is equal for equivalent fields: the order of parts, and INTERNET of an address, are ignored."""
    parts = [_comparable(part) for part in field if part.tag != _temp("INTERNET")]
    text = (field.text or "").strip()
    text = "".join(text.split()) if field.tag == _temp("BINVAL") else text
    return field.tag, text, sorted(field.items()), sorted(parts, key=repr)


# -- reading and writing single fields


def _v4(name: str) -> str:
    return f"{{{VCARD4}}}{name}"


def _temp(name: str) -> str:
    return f"{{{TEMP}}}{name}"


def _element(tag: str, *parts: tuple[str, str]) -> Element:
    element = Element(tag)
    for name, text in parts:
        SubElement(element, name).text = text or None
    return element


def _texts(field: Element, name: str = "text") -> list[str]:
    return [text for part in field.findall(_v4(name)) if (text := (part.text or "").strip())]


def _first(field: Element, *names: str) -> str:
    return next((text for name in names for text in _texts(field, name)), "")


def _plain(name4: str, name: str, *values: str) -> _Field:
    """A field of one text. `values`: the elements that may hold it in a vCard4; the first one is written."""

    def read(field: Element) -> Element | None:
        shown = Element(_temp(name))
        shown.text = ",".join(_texts(field)) if "text" in values and field.find(_v4("text")) is not None else _first(field, *values)
        return shown if shown.text else None

    def write(field: Element) -> Element | None:
        return _element(_v4(name4), (_v4(values[0]), field.text)) if field.text else None

    return _Field(name4, name, read, write)


def _parts(name4: str, name: str, parts: dict[str, str], *, typed: bool = False) -> _Field:
    """A field of several texts, whose parts have other names."""
    back = {_temp(new): old for old, new in parts.items()}

    def read(field: Element) -> Element | None:
        found = [(_temp(new), text) for old, new in parts.items() for text in _texts(field, old)]
        shown = _element(_temp(name), *found)
        _show_types(field, shown, typed)
        return shown if found else None

    def write(field: Element) -> Element | None:
        written = _element(_v4(name4))
        _write_types(field, written, set(back), typed)
        for old, new in parts.items():
            for part in field.findall(_temp(new)):
                SubElement(written, _v4(old)).text = part.text
        return written

    return _Field(name4, name, read, write)


def _show_types(field: Element, shown: Element, typed: bool) -> None:
    """Add the types (home, work, cell …), which are empty elements in a vcard-temp."""
    parameters = field.find(_v4("parameters")) if typed else None
    if parameters is None:
        return
    kinds = [text.upper() for kind in parameters.findall(_v4("type")) for text in _texts(kind)]
    kinds += ["PREF"] if parameters.find(_v4("pref")) is not None else []
    shown.extend(Element(_temp(kind)) for kind in dict.fromkeys(kinds) if is_ncname(kind) and shown.find(_temp(kind)) is None)


def _write_types(field: Element, written: Element, parts: set[str], typed: bool) -> None:
    kinds = [part.tag.rpartition("}")[2].lower() for part in field if part.tag not in parts and not part.text and not len(part)]
    kinds = [kind for kind in kinds if kind != "internet"] if typed else []
    if not kinds:
        return
    parameters = SubElement(written, _v4("parameters"))
    for kind in kinds:
        if kind == "pref":
            SubElement(SubElement(parameters, _v4("pref")), _v4("integer")).text = "1"
        else:
            SubElement(SubElement(parameters, _v4("type")), _v4("text")).text = kind


def _read_email(field: Element) -> Element | None:
    shown = _element(_temp("EMAIL"), (_temp("USERID"), _first(field, "text")), (_temp("INTERNET"), ""))
    _show_types(field, shown, typed=True)
    return shown if _first(field, "text") else None


def _write_email(field: Element) -> Element | None:
    written = _element(_v4("email"))
    _write_types(field, written, {_temp("USERID")}, typed=True)
    SubElement(written, _v4("text")).text = field.findtext(_temp("USERID"))
    return written


def _read_telephone(field: Element) -> Element | None:
    number = _first(field, "uri", "text").removeprefix("tel:")
    shown = Element(_temp("TEL"))
    _show_types(field, shown, typed=True)
    SubElement(shown, _temp("NUMBER")).text = number
    return shown if number else None


def _write_telephone(field: Element) -> Element | None:
    written = _element(_v4("tel"))
    _write_types(field, written, {_temp("NUMBER")}, typed=True)
    SubElement(written, _v4("uri")).text = f"tel:{field.findtext(_temp('NUMBER'), '')}"  # COMPAT Prosody: whatever follows it
    return written


def _several(name4: str, name: str, first: str, further: str) -> _Field:
    """A field of any number of texts. `first`, `further`: the names of the first one and of the others in a vcard-temp."""

    def read(field: Element) -> Element | None:
        found = [(_temp(further if n else first), text) for n, text in enumerate(_texts(field))]
        return _element(_temp(name), *found) if found else None

    def write(field: Element) -> Element | None:
        parts = [part for tag in dict.fromkeys((first, further)) for part in field.findall(_temp(tag))]
        return _element(_v4(name4), *((_v4("text"), part.text or "") for part in parts))

    return _Field(name4, name, read, write)


def _read_address(field: Element) -> Element | None:
    scheme, _, address = _first(field, "uri").partition(":")
    shown = Element(_temp("JABBERID"))
    shown.text = address
    return shown if scheme == "xmpp" and address else None


def _write_address(field: Element) -> Element | None:
    return _element(_v4("impp"), (_v4("uri"), f"xmpp:{field.text}")) if field.text else None


def _read_photo(field: Element) -> Element | None:
    uri = _first(field, "uri")
    data = _DATA.fullmatch(uri)
    if data is None:
        return _element(PHOTO, (_temp("EXTVAL"), uri)) if uri else None
    if not data[2].endswith(";base64"):
        return None
    return _element(PHOTO, *([(_temp("TYPE"), data[1])] if data[1] else []), (_temp("BINVAL"), data[3]))


def _write_photo(field: Element) -> Element | None:
    if link := field.findtext(_temp("EXTVAL")):
        return _element(_v4("photo"), (_v4("uri"), link))
    content = "".join(field.findtext(_temp("BINVAL"), "").split())
    return _element(_v4("photo"), (_v4("uri"), f"data:{field.findtext(_temp('TYPE'), '')};base64,{content}")) if content else None


_FIELDS = (
    _plain("fn", "FN", "text"),
    _parts("n", "N", _NAME),
    _plain("nickname", "NICKNAME", "text"),
    _Field("email", "EMAIL", _read_email, _write_email),
    _Field("tel", "TEL", _read_telephone, _write_telephone),
    _parts("adr", "ADR", _ADDRESS, typed=True),
    _several("org", "ORG", "ORGNAME", "ORGUNIT"),
    _plain("url", "URL", "uri"),
    _plain("title", "TITLE", "text"),
    _plain("role", "ROLE", "text"),
    _plain("note", "NOTE", "text"),
    _plain("bday", "BDAY", "date", "date-time", "text"),
    _several("categories", "CATEGORIES", "KEYWORD", "KEYWORD"),
    _Field("impp", "JABBERID", _read_address, _write_address),
    _Field("photo", "PHOTO", _read_photo, _write_photo),
)
_BY_NAME4 = {_v4(field.name4): field for field in _FIELDS}
_BY_NAME = {_temp(field.name): field for field in _FIELDS}
