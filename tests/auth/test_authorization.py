"""The Authorization field is read in one place, by a policy for each dialect (RFC 9110 §11.6.2, RFC 7617)."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests.conftest import DOMAIN
from xmpp_rest.auth import authorization
from xmpp_rest.auth.authorization import CLIENT, COMMANDS, DATA, MAX_FIELD, OAUTH_CLIENT, OPERATION, REST, Policy, read_authorization
from xmpp_rest.auth.caller import DenialReason
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import InvalidJID

HERE = Path(authorization.__file__)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("field", "scheme", "text"),
    [
        ("Bearer x", "bearer", "x"),
        ("bEARER  x ", "bearer", "x"),
        (" Bearer x", "bearer", "x"),
        ("Bearer", "bearer", ""),
        ("Digest a=b, c=d", "digest", "a=b, c=d"),
    ],
)
def test_scheme_and_text(field: str, scheme: str, text: str) -> None:
    given = read_authorization(field)
    assert given is not None
    assert given[:2] == (scheme, text)


@pytest.mark.parametrize(("length", "is_too_long"), [(MAX_FIELD, False), (MAX_FIELD + 1, True)])
def test_what_is_too_long_proves_nobody(length: int, is_too_long: bool) -> None:
    given = read_authorization("Basic " + encoded("juliet:x").rjust(length - len("Basic ")))
    assert given is not None
    assert given.is_too_long == is_too_long
    assert (given.pair is None) == is_too_long


@pytest.mark.parametrize("field", [None, ""])
def test_no_field(field: str | None) -> None:
    assert read_authorization(field) is None


@pytest.mark.parametrize(
    ("field", "pair"),
    [
        (f"Basic {encoded('juliet:a:b')}", ("juliet", "a:b")),
        (f"BASIC {encoded(':')}", ("", "")),
        *((field, None) for field in [f"Basic {encoded('juliet')}", "Basic !", "Basic é", f"Bearer {encoded('juliet:x')}"]),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), None),
    ],
)
def test_user_id_and_password(field: str, pair: tuple[str, str] | None) -> None:
    given = read_authorization(field)
    assert given is not None
    assert given.pair == pair


def test_bare_credentials_are_basic_where_the_policy_says_so() -> None:
    field = encoded("juliet:x")
    bare, strict = read_authorization(field, bare=True), read_authorization(field)
    assert bare is not None
    assert strict is not None
    assert (bare.pair, strict.pair) == (("juliet", "x"), None)


@pytest.mark.parametrize(
    ("policy", "realms"),
    [
        (REST, [f'Basic realm="{DOMAIN}/rest"', f'Bearer realm="{DOMAIN}/rest"']),
        (CLIENT, ['Basic realm="mongooseim"']),
        (DATA, [f'Basic realm="{DOMAIN}/data_access"']),
        (COMMANDS, [f'Basic realm="{DOMAIN}"']),
        (OPERATION, [f'Basic realm="{DOMAIN}"']),
        (OAUTH_CLIENT, [f'Basic realm="{DOMAIN}/oauth"']),
    ],
)
def test_challenges(policy: Policy, realms: list[str], gateway: Gateway) -> None:
    assert policy.challenge(gateway.settings) == ", ".join(realms)


@pytest.mark.parametrize(
    ("policy", "accounts"),
    [
        (REST, [f"juliet@{DOMAIN}", f"juliet@{DOMAIN}"]),
        (OPERATION, [f"juliet@{DOMAIN}", f"juliet@{DOMAIN}"]),
        (CLIENT, ["juliet", f"juliet@{DOMAIN}"]),
        (DATA, [None, f"juliet@{DOMAIN}"]),
        (COMMANDS, [None, f"juliet@{DOMAIN}"]),
    ],
)
def test_the_account_that_a_user_name_means(policy: Policy, accounts: list[str | None]) -> None:
    def account(name: str) -> str | None:
        try:
            return str(policy.account(name, DOMAIN))
        except InvalidJID:
            return None

    assert [account("juliet"), account(f"Juliet@{DOMAIN}/balcony")] == accounts


def test_wrong_credentials_are_403_at_rest_alone() -> None:
    assert [policy.status(DenialReason.WRONG) for policy in (REST, CLIENT, DATA, OPERATION)] == [403, 401, 401, 401]
    assert [REST.status(reason) for reason in DenialReason] == [401, 403, 403, 429, 403]


def test_nothing_else_reads_the_field() -> None:
    """Others hand its value on, unread."""
    root = HERE.parents[1]
    reading = re.compile(r"Authorization\.from_header|b64decode\(|request\.authorization")
    readers = {str(path.relative_to(root)) for path in root.rglob("*.py") if reading.search(path.read_text("utf-8"))}
    naming_the_fault = {"api/rest/denied.py"}
    of_something_else = {
        "auth/prosody_tokens.py", "auth/record.py", "auth/sealing.py", "cli/file_calls.py", "config/readers.py", "service/files/slots.py", "service/messages/idempotency.py",
        "service/hooks/signatures.py", "link/c2s/sasl.py", "link/c2s/scram.py", "service/sessions/left_rows.py",
    }
    in_the_query = {"api/ntfy/credentials.py"}
    imported = {name for name in readers if name.startswith("importing/")}
    assert readers - naming_the_fault - of_something_else - in_the_query - imported == {"auth/authorization.py"}
