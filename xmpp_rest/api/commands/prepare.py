"""Calls of commands: the definition that counts, the arguments, the caller's rights, in the peer's order (commands-api §2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.arguments import Given, about_arguments, take
from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.fitting import best, fits
from xmpp_rest.api.commands.path import Target
from xmpp_rest.api.commands.registry import Command, Registry
from xmpp_rest.api.commands.results import Rows, pieces, render
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.detail import did_you_mean
from xmpp_rest.auth.rights import HTTP, Permission, Principal, rights_of
from xmpp_rest.config.table import Settings
from xmpp_rest.http.body import dump_json

HOST_OF = {"add_rosteritem": "localhost", "delete_rosteritem": "localhost"}  # there `host` is the contact's domain (commands-api §15)
NEIGHBOURS = ("messages", "rooms", "contacts", "sse")  # what the client API has below /api


class PreparedCall(NamedTuple):
    """A call that may be made. `version`: of the API, which says how the result looks."""

    command: Command
    version: int
    values: dict[str, Any]

    def run(self, services: Services) -> Any:
        """Run the command; its result as a JSON value. Raises CommandFailure, and whatever goes wrong inside the command."""
        return self.rendered(self.command.run(services, *self.values.values()))

    def body(self, services: Services) -> bytes | Iterator[bytes]:
        """As `run`, but the JSON text; what is long is made while it is sent, and is cut off if something goes wrong then."""
        value = self.command.run(services, *self.values.values())
        return pieces(value, self.command.definition.result) if isinstance(value, Rows) else dump_json(self.rendered(value))

    def rendered(self, value: Any) -> Any:
        """The JSON value of a result."""
        return render(value, self.command.definition.result, self.version)


class CallPreparer:
    """Prepares calls by the settings that are in force when it is made."""

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._allowed: dict[tuple[Principal, str, str | None], bool] = {}

    def require_known(self, name: str) -> None:
        """Raise CommandFailure for a name that no version has. COMPAT ejabberd: before credentials are looked at."""
        if not self._registry.knows(name):
            raise errors.unknown_name(name, [*self._registry.names, *NEIGHBOURS])

    def prepare(self, target: Target, given: Given, principal: Principal) -> PreparedCall:
        """The call, its arguments converted. Raises CommandFailure.

        COMPAT ejabberd: version and arguments are judged before rights.
        """
        command, version, values = self._find(target, given)
        permission = permission_for(command.definition, values)
        key = principal, permission.name, permission.host
        if key not in self._allowed:
            self._allowed[key] = rights_of(self._settings).allow(principal, permission, HTTP)
        if not self._allowed[key]:
            raise errors.forbidden(self._why_not(principal, permission))
        return PreparedCall(command, version, values)

    def _find(self, target: Target, given: Given) -> tuple[Command, int, dict[str, Any]]:
        """The command in the version that counts, that version, and the arguments."""
        wanted = self._settings.commands.default_version if target.version is None else target.version
        version = min(wanted, self._registry.newest)
        command = self._registry.find(target.name, version)
        try:
            return command, version, take(command.definition, given)
        except errors.CommandFailure:
            if target.version is None and self._settings.commands.fit_version and not fits(command.definition, given):
                older = best(self._registry.older(target.name, command.definition.version), given)
                command, version = (older, older.definition.version) if older else (command, version)
        try:
            return command, version, take(command.definition, given)
        except errors.CommandFailure as e:
            raise e.explained(about_arguments(command.definition, given)) from e

    def _why_not(self, principal: Principal, permission: Permission) -> str:
        """What stands against a call that no rule opens."""
        domain = self._settings.gateway.domain
        if principal.jid is None:
            return f"The call has no credentials: send Basic with an administrator's address, such as admin@{domain}, and password"
        if not principal.admin:
            return f"{principal.jid} is not an administrator ([auth] admins), and no section [rights.NAME] opens {permission.name} to it"
        if permission.host is not None and permission.host.lower() != domain:
            return f"{permission.host[:100]!r} is not hosted here; the domain is {domain!r}{did_you_mean(permission.host, [domain])}"
        return f"The token's scopes open {permission.name} by no rule; administration needs the scope ejabberd:admin"


def permission_for(definition: Definition, values: dict[str, Any]) -> Permission:
    """What the rights are asked about a command with these arguments."""
    return Permission(definition.name, definition.tags, values.get(HOST_OF.get(definition.name, "host")))
