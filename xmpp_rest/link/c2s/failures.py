"""Why a login failed, and which answer that is (accounts-anywhere §6)."""

from __future__ import annotations

from xmpp_rest.errors import GatewayError, at_server, stopping

WRONG_PASSWORD = "wrong-password"  # noqa: S105 (a name, no password)
STALE_KEYS = "stale-keys"
STOPPED = "stopped"
ACCOUNT_DISABLED = "account-disabled"
BAD_CERTIFICATE = "bad-certificate"
IMPOSTOR = "impostor"
LOGIN_LATER = "login-later"
NO_LOGIN = "no-login"
NO_SERVER = "no-server"
NO_TLS = "no-tls"
UNREACHABLE = "unreachable"

_ANSWERS = {WRONG_PASSWORD: "unauthz", STALE_KEYS: "session-lost"}
STREAM_ERRORS = {  # condition (RFC 6120 §4.9.3) → name; all others: unreachable
    "host-unknown": NO_SERVER,
    "see-other-host": NO_SERVER,  # it is not followed: it would be a way around accounts-anywhere §3.3
    "resource-constraint": LOGIN_LATER,
    "policy-violation": LOGIN_LATER,
}
SASL_ERRORS = {  # condition (RFC 6120 §6.5) → name; all others: no-login
    "not-authorized": WRONG_PASSWORD,
    **dict.fromkeys(("incorrect-encoding", "invalid-authzid", "malformed-request"), WRONG_PASSWORD),  # of a name that it cannot prepare
    "account-disabled": ACCOUNT_DISABLED,
    "credentials-expired": ACCOUNT_DISABLED,
    "temporary-auth-failure": LOGIN_LATER,
}


class LoginFailed(Exception):
    """A login or a check failed.

    `name`: of accounts-anywhere §6; `wrong-password`: the server said so; `stale-keys`: it has another salt than ScramKeys were made for
    (accounts-anywhere §4.4), so that nobody knows whether the password is still right; `stopped`: it was given up here. `reason`: of
    bad-certificate, the words for the caller. `of_account`: it says nothing of other accounts of the domain (accounts-anywhere §5.5).
    `detail`: addresses, and what server and libraries say; for the log only.
    """

    def __init__(self, name: str, domain: str, detail: str = "", *, reason: str = "", of_account: bool = False) -> None:
        self.name = name
        self.domain = domain
        self.detail = detail
        self.reason = reason
        self.of_account = of_account
        super().__init__(f"{name}: {domain}: {detail}" if detail else f"{name}: {domain}")

    def to_error(self, retry_after: float | None = None) -> GatewayError:
        """What the caller is told. `retry_after`: seconds; None: those of the table."""
        if self.name == STOPPED:  # its server has done nothing
            return stopping()
        return at_server(_ANSWERS.get(self.name, self.name), self.domain, reason=self.reason, retry_after=retry_after)
