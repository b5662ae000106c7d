"""How long tokens last: all that decides it.

| made by | lasts |
| --- | --- |
| `POST /oauth/token`, `/oauth/authorization_token` | the `ttl` of the form, at most `[oauth] expire_max`; without it `[oauth] expire` |
| `oauth_issue_token` | its argument `ttl` |
| `xmpp-restctl token` | `--ttl`; without it BY_COMMAND_LINE |

None lasts longer than LONGEST. A token that a Prosody has issued lasts as long as Prosody says (`prosody_tokens.py`).
"""

from __future__ import annotations

from xmpp_rest.config.table import OAuthSettings

LONGEST = 10**10  # seconds, three centuries
BY_COMMAND_LINE = 365 * 86400  # seconds
_OFFERED = {3600: "an hour", 86400: "a day", 2_592_000: "30 days", 31_536_000: "a year"}  # COMPAT ejabberd: the choices of its page


def of_form(ttl: str | None, settings: OAuthSettings) -> int:
    """The seconds that a token lasts for which a form asks with this `ttl` (COMPAT ejabberd). Raises ValueError for what is not a time."""
    if ttl is None:
        return settings.expire
    if not (ttl.isascii() and ttl.isdigit()) or int(ttl[:12]) == 0:
        raise ValueError("ttl: write a number of seconds")
    return min(int(ttl[:12]), settings.expire_max)


def offered(settings: OAuthSettings) -> dict[int, str]:
    """The times that the page offers: seconds, and what users read."""
    return {seconds: text for seconds, text in _OFFERED.items() if seconds <= settings.expire_max}


def require_bounded(seconds: int) -> None:
    """Raise ValueError for more than LONGEST, in either direction."""
    if not -LONGEST <= seconds <= LONGEST:
        raise ValueError(f"a token lasts at most {LONGEST} seconds")
