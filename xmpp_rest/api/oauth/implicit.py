"""`/oauth/authorization_token`: tokens for pages that must not see the password, the implicit grant (RFC 6749 §4.2).

The page sends its user here with a link; the user gives name and password to the gateway alone, and is sent back with a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from flask import Response

from xmpp_rest.api.oauth.password import Granting
from xmpp_rest.auth import lifetimes
from xmpp_rest.http.resource import Stop

MAX_STATE = 1023  # characters: it comes back in a header field
ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state")  # what the form hands on (RFC 6749 §4.2.1)
FIELDS = {
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",  # RFC 6749 §10.13
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><h1>{title}</h1>
<p>{name} ({target}) asks to act in your name: <code>{scope}</code>.</p>
<p role="alert">{said}</p>
<form method="post">
<p><label>Account <input name="username" value="{username}" autocomplete="username" autofocus required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><label>For <select name="ttl">{lasting}</select></label></p>
{hidden}
<p><button>Let it</button></p>
</form></body></html>
"""


class ImplicitGrant(Granting):
    """Shows the form, and takes it. A client that is not registered is never redirected to (RFC 6749 §4.2.2.1)."""

    place = "oauth/authorization_token"
    redirect_uri = ""  # of the client, once it is known
    name = ""  # of the client
    form: Mapping[str, str]

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "POST", "OPTIONS"]

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("text", "html", "*"), "to_html")]

    def to_html(self) -> NoReturn:
        form = self.read(self.request.args)
        self.require_client(form)
        self._check_type(form)
        self._show(200, "")

    def require_client(self, form: Mapping[str, str]) -> None:
        """A page is always a registered one, whatever `client_check` says: nobody is sent to just any URI with a token."""
        if self.gateway.settings.oauth.client_check == "deny":
            self.fail(400, "unauthorized_client", "No page gets a token here ([oauth] client_check = deny)")
        client = self.clients.implicit(form.get("client_id", ""))
        if client is None:
            self.fail(400, "unauthorized_client", "There is no such client: an administrator registers one with oauth_add_client_implicit")
        name, redirect_uri = client
        if form.get("redirect_uri", redirect_uri) != redirect_uri:  # RFC 9700 §2.1: no pattern, the very same text
            self.fail(400, "invalid_request", "redirect_uri is not the one that the client was registered with")
        if len(quote(form.get("state", ""))) > MAX_STATE:
            self.fail(400, "invalid_request", f"state is at most {MAX_STATE} characters long, percent-encoded")
        self.form, self.name, self.redirect_uri = form, name, redirect_uri

    def act(self, form: Mapping[str, str]) -> NoReturn:
        self._check_type(form)
        self._back(self.grant(form))

    def _check_type(self, form: Mapping[str, str]) -> None:
        if form.get("response_type") != "token":
            self.fail(400, "unsupported_response_type", "The only response_type here is token")

    def fail(self, status: int, error: str, text: str, **fields: str) -> NoReturn:
        """The user's mistakes are shown to the user, the client's are told to the client once it is known who that is."""
        if not self.redirect_uri:
            super().fail(status, error, text, **fields)
        if error == "invalid_grant" or status >= 500:
            self._show(status, text, **fields)
        self._back({"error": error, "error_description": text})

    def _back(self, members: Mapping[str, Any]) -> NoReturn:
        """In the fragment, which no server sees (RFC 6749 §4.2.2)."""
        state = {"state": self.form["state"]} if "state" in self.form else {}
        location = f"{self.redirect_uri}#{urlencode({**members, **state})}"
        raise Stop(Response(b"", 303, {**FIELDS, "Location": location}))  # RFC 9700 §4.12: not 307

    def _show(self, status: int, said: str, **fields: str) -> NoReturn:
        raise Stop(Response(self._page(said), status, {**FIELDS, **self._policy(), **fields}, content_type="text/html; charset=utf-8"))

    def _policy(self) -> dict[str, str]:
        """Browsers hold the redirect behind a form against form-action too (CSP 3 §6.4.1)."""
        parts = urlsplit(self.redirect_uri)
        target = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
        return {"Content-Security-Policy": f"default-src 'none'; form-action 'self' {target}; frame-ancestors 'none'; base-uri 'none'"}

    def _page(self, said: str) -> str:
        form, domain = self.form, self.gateway.settings.gateway.domain
        shown = {
            "title": f"Sign in at {domain}", "name": self.name, "target": self.redirect_uri, "said": said,
            "scope": form.get("scope", self.default_scope), "username": form.get("username", ""),
        }  # fmt: skip
        hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(form[name])}">' for name in ASKED if name in form)
        times = lifetimes.offered(self.gateway.settings.oauth)
        lasting = "".join(f'<option value="{seconds}">{text}</option>' for seconds, text in times.items())
        return PAGE.format(**{key: escape(text) for key, text in shown.items()}, hidden=hidden, lasting=lasting)
