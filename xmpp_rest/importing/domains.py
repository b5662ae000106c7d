"""The domains of an import: which domain of the source becomes which one here."""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.prep import PrepError, nameprep


class Domains:
    """The renaming of `--domain OLD=NEW`: in addresses of accounts and rooms, and in all addresses that they have stored."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self.renamed = dict(renamed)

    def only(self) -> str | None:
        """The one domain of the source, where its data names none; None unless exactly one was given."""
        return next(iter(self.renamed)) if len(self.renamed) == 1 else None

    def host(self, text: str) -> str:
        """A domain of the source, prepared and renamed; one that is not valid stays as it is."""
        try:
            name = nameprep(text)
        except PrepError:
            return text
        return self.renamed.get(name, name)

    def jid(self, text: str) -> JID:
        """An address of the source, prepared and renamed. Raises InvalidJID."""
        jid = parse_jid(text)
        new = self.renamed.get(jid.domain)
        return jid._replace(domain=new) if new is not None else jid

    def text(self, text: str) -> str:
        """As `jid`, for an address in a stanza; one that is not valid stays as it is."""
        if not self.renamed:
            return text
        try:
            return str(self.jid(text))
        except InvalidJID:
            return text
