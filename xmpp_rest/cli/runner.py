"""The runner of command lines: runs commands in the leader, or on the storage alone (commands-api §14)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from drivers import StorageError
from xmpp_rest.api.commands import errors, registry
from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.commands.errors import CommandFailure
from xmpp_rest.api.commands.prepare import permission_for
from xmpp_rest.api.commands.registry import Command, Registry
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.types import ListOf, TupleOf, Type
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.rights import COMMAND_LINE, Principal, rights_of
from xmpp_rest.cli.output import FAILED, WRONG_USAGE, Printed, of_failure, of_result
from xmpp_rest.cli.words import WrongNumber, values
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import InvalidJID, local_jid

log = logging.getLogger("xmpp_rest.server")
PLACE = "the command line"


class Runner:
    """Runs commands for the command line."""

    def __init__(self, services: Services, registry: Registry) -> None:
        self._services = services
        self._registry = registry

    def run(self, name: str, version: int | None, words: Sequence[str], auth: Sequence[str] | None) -> Printed:
        """Run one command; `auth`: user, host and password of the account that runs it, if any."""
        number = self._registry.newest if version is None else min(version, self._registry.newest)
        principal: Principal | None = None
        target = name if version is None else f"{name}/v{version}"
        try:
            offer = self._registry.find(name, number)
        except CommandFailure as e:
            return Printed(FAILED, f"Error: {e.body}\n")
        try:
            principal = self._principal(auth)
            printed = self._call(offer, number, words, principal)
        except WrongNumber as e:
            return Printed(WRONG_USAGE, f"Error: {e}\n")
        except CommandFailure as e:
            record(principal, PLACE, target, self._for_audit(offer, words), e.status)
            return of_failure(e, offer.definition.result.type)
        record(principal, PLACE, target, self._for_audit(offer, words), 200)
        return printed

    def run_line(self, name: str, version: int | None, words: list[str], auth: list[str] | None) -> list[Any]:
        """`run` in the leader, for the command line; the result is JSON."""
        return list(self.run(name, version, words, auth))

    def _call(self, offer: Command, version: int, words: Sequence[str], principal: Principal) -> Printed:
        definition = offer.definition
        arguments = values(definition, words)
        if not rights_of(self._services.gateway.settings).allow(principal, permission_for(definition, arguments), COMMAND_LINE):
            raise errors.forbidden()
        try:
            return of_result(offer.run(self._services, *arguments.values()), definition, version)
        except CommandFailure:
            raise
        except GatewayError as e:
            raise errors.of_service(e) from e
        except StorageError as e:
            log.error("%s failed: %s", definition.name, e)
            raise errors.failure(503, 0, f"The storage failed: {e}") from e
        except Exception as e:
            log.exception("%s failed", definition.name)
            raise errors.internal_error() from e

    def _principal(self, auth: Sequence[str] | None) -> Principal:
        """The caller: a user who can read the data folder may do everything; with `auth`, what that account may. Raises CommandFailure."""
        if auth is None:
            return Principal()
        user, host, password = auth
        try:
            who = self._services.parts.authenticator.password(local_jid(user, host), password, PLACE)
        except InvalidJID as e:
            raise errors.unauthorized() from e
        if not isinstance(who, Caller):
            raise errors.unauthorized()
        return Principal(who.jid, who.admin)

    @staticmethod
    def _for_audit(offer: Command, words: Sequence[str]) -> list[tuple[str, Any]]:
        """The arguments for the audit: fields of tuples with their names, so that it recognises secrets."""
        given = zip(offer.definition.args, words, strict=False)
        return [(field.name, _with_names(word, field.type)) for field, word in given]


def _with_names(word: str, to: Type) -> Any:
    if isinstance(to, ListOf) and isinstance(to.element.type, TupleOf):
        names = [field.name for field in to.element.type.fields]
        return [dict(zip(names, part.strip().split(":"), strict=False)) for part in word.split(",")]
    return word


def wrong_usage(registry: Registry, name: str, version: int | None, words: Sequence[str]) -> Printed | None:
    """The output for a wrong number of words, which needs neither gateway nor storage."""
    try:
        values(registry.find(name, registry.newest if version is None else min(version, registry.newest)).definition, words)
    except WrongNumber as e:
        return Printed(WRONG_USAGE, f"Error: {e}\n")
    except CommandFailure:  # the runner reports it
        return None
    return None


def line_runner(gateway: Gateway) -> Callable[..., list[Any]]:
    """What runs a line of the command line in this gateway."""
    offered = registry()
    return Runner(Services(gateway, offered.names), offered).run_line
