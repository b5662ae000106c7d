"""How much memory what a stranger's server has sent may take."""

from __future__ import annotations

from xml.etree.ElementTree import Element

OF_ELEMENT = 200  # bytes of an element without texts


def weight(stanza: Element) -> int:
    """About how many bytes an element takes."""
    total = 0
    for element in stanza.iter():
        total += OF_ELEMENT + len(element.text or "") + len(element.tail or "") + sum(map(len, element.attrib.values()))
    return total
