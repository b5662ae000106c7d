"""The settings of accounts of other servers: whose may come in, how their servers are reached, and the bounds of all sessions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from xmpp_rest.config import hook_readers, login_readers, readers
from xmpp_rest.config.setting import setting

_DAY = 86_400
_COUNT = readers.number(1, 1_000_000)


@dataclass(frozen=True)
class LoginSettings:
    """Other servers whose accounts may come in, and how these are reached: one section `[login.NAME]` each."""

    domains: tuple[str, ...] = setting("", login_readers.patterns, "Domains whose accounts may come in: example.org, *.example.org (any depth below it, not itself), * (all); separated by commas.", required=True)
    host: str = setting("", readers.optional(readers.host_name), "Where the server is, a name or an address. Empty: DNS says so.")
    port: int | None = setting("", hook_readers.optional_number(1, 65535), "Its port, together with host. Empty: 5222 with tls = starttls, 5223 with direct.")
    tls: str = setting("auto", readers.choice("auto", "direct", "starttls"), "direct: TLS from the first byte (XEP-0368). starttls: STARTTLS. auto: direct first, where that is offered.")
    ca_file: Path | None = setting("", login_readers.optional_path, "PEM file of the authorities that are trusted for these domains in place of the system's, relative to this file.")
    private: bool = setting("no", readers.yes_or_no, "yes: DNS may lead to private addresses. With `host` there is no such limit.")
    name: str = field(default="", kw_only=True)
    """The part of the section's name behind the dot."""

    def below(self, base: Path) -> LoginSettings:
        """These with the file of authorities below the folder that relative paths are below."""
        return replace(self, ca_file=base / self.ca_file) if self.ca_file else self


@dataclass(frozen=True)
class SessionsSettings:
    """The gateway's sessions as accounts of other servers: bounds for all of them."""

    idle: float = setting("600", readers.seconds(0.1, _DAY), "Seconds without a request, an open stream or an unconfirmed stanza, after which a session is ended.")
    recheck: float = setting("3600", readers.seconds(0.1, 30 * _DAY), "Seconds after which a password has to be proven to the server again.")
    total: int = setting("1000", _COUNT, "Maximum number of sessions.")
    per_domain: int = setting("500", _COUNT, "Maximum number of sessions of one domain.")
    logins: int = setting("8", readers.number(1, 256), "Maximum number of logins and checks under way at once, half of them for one domain. As many again may wait; more get 503.")
    connect_timeout: float = setting("5", readers.seconds(0.1, 600), "Seconds for reaching one address.")
    login_timeout: float = setting("15", readers.seconds(0.1, 600), "Seconds for everything from DNS to the bound session.")
    confirm_timeout: float = setting("10", readers.seconds(0.1, 600), "Seconds that a POST waits until the server has confirmed a message.")
    failures_account: int = setting("5", _COUNT, "Maximum number of different wrong passwords for one account in failures_window; more get 429.")
    failures_address: int = setting("5", _COUNT, "Maximum number of wrong passwords for accounts of one domain from one HTTP client in failures_window; more get 429.")
    failures_domain: int = setting("15", _COUNT, "Maximum number of wrong passwords for all accounts of one domain in failures_window; then those without a session get 503.")
    failures_window: float = setting("3600", readers.seconds(1, 30 * _DAY), "Seconds in which wrong passwords count.")
    refused_for: float = setting("300", readers.seconds(0, 30 * _DAY), "Seconds for which a password that the server has refused is refused again without asking it.")
    retry_max: float = setting("300", readers.seconds(1, _DAY), "Maximum number of seconds between two attempts at a server that failed.")
    poll: float = setting("5", readers.seconds(0.1, 3600), "Seconds between two looks into the archive of a listener whose server does not tell all.")
    keepalive: float = setting("60", readers.seconds(0.1, 3600), "Seconds of silence after which a session is tested; after as long again it counts as broken.")
    presence: str = setting("listening", readers.choice("listening", "never"), "listening: sessions are available, with priority -1, while somebody listens. never: they are not.")
    resource: str = setting("xmpp-rest", login_readers.resource_beginning, "Beginning of the resource of sessions.")
    queue_size: int = setting("1000", _COUNT, "Maximum number of stanzas of one session that wait to be written or confirmed; more get 503.")
    send_limit: int = setting("250000", readers.number(10_000, 1 << 30), "Maximum size of a sent stanza in bytes; larger ones get 413. Servers end the session on what they find too large (Prosody: 262144).")
    stanza_size_limit: int = setting("1048576", readers.number(10_000, 1 << 30), "Maximum size of a received stanza in bytes; a larger one ends the session.")
    nameservers: tuple[tuple[str, int], ...] = setting("", login_readers.nameservers, "DNS servers, ADDRESS or ADDRESS:PORT, separated by commas. Empty: the system's.")
