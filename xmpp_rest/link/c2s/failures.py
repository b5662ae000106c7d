"""Why a login failed, and which answer that is (accounts-anywhere §6)."""

from __future__ import annotations

from xmpp_rest.errors import ERRORS, GatewayError

WRONG_PASSWORD = "wrong-password"  # noqa: S105 (a name, no password)
STALE_KEYS = "stale-keys"
_ANSWERS = {WRONG_PASSWORD: "unauthz", STALE_KEYS: "session-lost"}


class LoginFailed(Exception):
    """A login or a check failed.

    `name`: of accounts-anywhere §6; `wrong-password`: the server said so; `stale-keys`: it has another salt than ScramKeys were made for
    (accounts-anywhere §4.4), so that nobody knows whether the password is still right. `reason`: of bad-certificate, the words for the
    caller. `of_account`: it says nothing of other accounts of the domain (accounts-anywhere §5.5). `detail`: addresses, and what server
    and libraries say; for the log only.
    """

    def __init__(self, name: str, domain: str, detail: str = "", *, reason: str = "", of_account: bool = False) -> None:
        self.name = name
        self.domain = domain
        self.detail = detail
        self.reason = reason
        self.of_account = of_account
        super().__init__(f"{name}: {domain}: {detail}" if detail else f"{name}: {domain}")

    def to_error(self) -> GatewayError:
        """What the caller is told."""
        name = _ANSWERS.get(self.name, self.name)
        text = ERRORS[name].text.replace("{domain}", self.domain).replace("REASON", self.reason)
        return GatewayError(name, text)
