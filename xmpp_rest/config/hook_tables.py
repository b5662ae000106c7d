"""The settings of incoming hooks, of what comes in as they do, and of how much one caller may send."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.config import hook_readers, readers
from xmpp_rest.config.setting import setting
from xmpp_rest.protocol.jid import JID


@dataclass(frozen=True)
class HooksSettings:
    """Incoming hooks, /hooks: URLs by which other programs send messages."""

    who: str = setting("account", readers.choice("admin", "account"), "Who may make hooks. admin: administrators. account: every account.")
    address: JID = setting("hooks@<domain>", readers.jid, "The address as which hooks of the configuration and of administrators speak.")
    size_limit: int = setting("1048576", readers.number(1024, 1 << 28), "Maximum request body size in bytes.")
    text_limit: int = setting("5000", readers.number(100, 60_000), "Maximum number of characters of a message; the rest is cut off, and the message says so.")
    alerts: int = setting("10", readers.number(1, 100), "Maximum number of alerts that one message names; the others are counted.")
    wait: float = setting("2", readers.seconds(0, 30), "Seconds that an answer waits for a refusal by the recipient's server.")
    per_account: int = setting("100", readers.number(0, 10_000), "Maximum number of hooks of one account; more get 403.")
    templates: str = setting("", readers.optional(readers.folder), "Folder of templates, FORMAT.txt, that replace the shipped ones, relative to this file. Empty: none.")


@dataclass(frozen=True)
class NtfySettings:
    """What ntfy's clients and senders use."""

    prefix: str | None = setting("/ntfy", readers.optional_prefix, "Path below which it is served, / as well. Empty: not at all, but for JSON at /.")
    cache: float = setting("43200", readers.seconds(0, 2_592_000), "Seconds for which what was published through a hook can be read again.")


@dataclass(frozen=True)
class GotifySettings:
    """What Gotify's senders use."""

    prefix: str | None = setting("/", readers.optional_prefix, "Path below which /message and /version are served. Empty: not at all.")


@dataclass(frozen=True)
class AppriseSettings:
    """What clients of the Apprise API use."""

    prefix: str | None = setting("/", readers.optional_prefix, "Path below which /notify is served. Empty: not at all.")


@dataclass(frozen=True)
class PostMsgSettings:
    """What clients of Prosody's mod_post_msg use."""

    prefix: str | None = setting("/msg", readers.optional_prefix, "Path below which it is served. Empty: not at all.")


@dataclass(frozen=True)
class LimitSettings:
    """How much may be sent. More gets 429."""

    hook: int = setting("60", readers.number(0, 6000), "Maximum number of requests to one hook in a minute. 0: no limit.")
    token: int = setting("0", readers.number(0, 1_000_000), "Maximum number of sending requests with one OAuth token in a minute. 0: no limit.")
    account: int = setting("0", readers.number(0, 1_000_000), "Maximum number of sending requests of one account in a minute, those to its hooks included. 0: no limit.")
    scheduled: int = setting("1000", readers.number(0, 100_000), "Maximum number of messages of one account that wait for their time; more get 403.")
    schedule_days: int = setting("30", readers.number(1, 3650), "Maximum number of days that a message may be scheduled ahead.")


@dataclass(frozen=True)
class HookSettings:
    """A hook of the configuration: one section `[hook.NAME]` each."""

    token: str = setting("", hook_readers.token, "The token in its URL, as `xmpp-rest hook token` makes one: hk_ and 27 letters and digits.", secret=True, required=True)
    targets: tuple[str, ...] = setting("", hook_readers.targets, "Recipients, 1 to 20 of JID and room:JID, separated by commas.", required=True)
    owner: JID | None = setting("", hook_readers.optional_jid, "The account it belongs to. Empty: [hooks] address.")
    format: str = setting("auto", readers.choice("auto", *hook_readers.FORMATS), "How requests are read: auto: as they look.")
    template: str = setting("", hook_readers.template, "What is said: one line of Jinja, or @FILE of [hooks] templates. Empty: the template of the format.")
    template_file: str = setting("", readers.optional(readers.file_path), "Or a file of its own, relative to this file.")
    nick: str = setting("", readers.text, "How it is called in rooms. Empty: its name.")
    update: bool = setting("no", readers.yes_or_no, "yes: what changes is corrected in its message, where that can be, instead of said again.")
    rate: int | None = setting("", hook_readers.optional_number(1, 6000), "Maximum number of requests in a minute. Empty: [limits] hook.")
    secret: str = setting("", readers.text, "Requests have to be signed by this key. Empty: they need no signature.", secret=True)
    get: bool = setting("no", readers.yes_or_no, "yes: GET sends too, where the sender can do nothing else.")
