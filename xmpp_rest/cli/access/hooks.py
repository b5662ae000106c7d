"""How `xmpp-rest hook` reaches the hooks of a gateway: those of this machine without a password, others by URL and token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from xmpp_rest.cli.access.http_client import HttpClient, HttpReply
from xmpp_rest.cli.hook_calls import HookCalls
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.protocol.strict_json import write_json

JSON = "application/json"
Results = list[dict[str, Any]]


class TokenAndURL(NamedTuple):
    """What a new hook, or a new token, is told by."""

    token: str
    url: str


class HookAccess(Protocol):
    """The hooks of one gateway. Methods raise GatewayError, StorageError, ConnectionError; CannotStart."""

    def add(self, members: dict[str, Any]) -> TokenAndURL:
        """Make a hook."""

    def listed(self) -> list[list[str]]:
        """Name, owner, format and targets of each hook."""

    def remove(self, name: str) -> None:
        """Remove a hook."""

    def renew(self, name: str) -> TokenAndURL:
        """Give a hook a new token."""

    def test(self, name: str, payload: bytes | None) -> Results:
        """Send the test message, or this as if it had been POSTed; the results."""


Call = Callable[..., Any]
"""Calls a method of HookCalls with named arguments."""


class LocalHooks:
    """The hooks of the gateway whose settings these are."""

    def __init__(self, call: Call, settings: Settings) -> None:
        self._call = call
        self._settings = settings

    def add(self, members: dict[str, Any]) -> TokenAndURL:
        return self._told(self._call(HookCalls.add, members=members))

    def listed(self) -> list[list[str]]:
        found: list[list[str]] = self._call(HookCalls.listed)
        return found

    def remove(self, name: str) -> None:
        self._call(HookCalls.remove, name=name)

    def renew(self, name: str) -> TokenAndURL:
        return self._told(self._call(HookCalls.renew, name=name))

    def test(self, name: str, payload: bytes | None) -> Results:
        text = None if payload is None else payload.decode("latin-1")
        results: Results = self._call(HookCalls.test, name=name, payload=text)
        return results

    def _told(self, token: str) -> TokenAndURL:
        return TokenAndURL(token, f"{own_url(self._settings)}/hooks/{token}")


def called_in(leader: LeaderClient) -> Call:
    """Calls the leader."""
    return leader.call


def called_here(calls: HookCalls) -> Call:
    """Calls these, which are in this process."""
    return lambda method, **given: method(calls, **given)


class RemoteHooks:
    """The hooks of the gateway at a URL, as far as the owner of the token may manage them."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def add(self, members: dict[str, Any]) -> TokenAndURL:
        return _told(self._ask(201, "POST", "/hooks", members))

    def listed(self) -> list[list[str]]:
        hooks = self._ask(200, "GET", "/hooks")["hooks"]
        return [[hook["name"], hook["owner"], hook["format"], ",".join(hook["targets"])] for hook in hooks]

    def remove(self, name: str) -> None:
        self._ask(204, "DELETE", _path(name))

    def renew(self, name: str) -> TokenAndURL:
        return _told(self._ask(200, "POST", f"{_path(name)}/token"))

    def test(self, name: str, payload: bytes | None) -> Results:
        if payload is None:
            reply = self._client.request("POST", f"{_path(name)}/test", b"", wait=60, Accept=JSON)
        else:
            reply = self._client.request("POST", _path(name), payload, wait=60, Content_Type="application/octet-stream")
        results = _object(reply).get("results")
        if reply.status == 204:
            return []
        if isinstance(results, list) and results:
            return results
        if reply.status == 200:  # in the words of another server
            return [{"to": name, "outcome": "accepted"}]
        raise _refused(reply)

    def _ask(self, wanted: int, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        content = None if body is None else write_json(body)
        reply = self._client.request(method, path, content, Accept=JSON, Content_Type=JSON)
        if reply.status != wanted:
            raise _refused(reply)
        return _object(reply)


def own_url(settings: Settings) -> str:
    """The gateway's URL, as far as the configuration tells it."""
    server = settings.server
    if server.public_url:
        return server.public_url.rstrip("/")
    place = next((str(bind) for bind in server.bind if not bind.path), "localhost")
    return f"http{'s' if server.certificate else ''}://{place}"


def _path(name: str) -> str:
    return f"/hooks/{quote(name, safe='')}"


def _object(reply: HttpReply) -> dict[str, Any]:
    value = reply.json()
    return value if isinstance(value, dict) else {}


def _told(answer: dict[str, Any]) -> TokenAndURL:
    return TokenAndURL(str(answer.get("token")), str(answer.get("url")))


def _refused(reply: HttpReply) -> CannotStart:
    code = Exit.UNAVAILABLE if reply.status in (503, 504) else Exit.REFUSED
    return CannotStart(code, str(_object(reply).get("detail") or f"the gateway has answered {reply.status}"))
