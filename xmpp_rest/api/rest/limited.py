"""Requests of /rest that count for the limits of the caller (hooks §18)."""

from __future__ import annotations

from typing import NoReturn

from xmpp_rest.api.rate_limits import look, take
from xmpp_rest.api.rest.errors import RestFailure, failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.errors import GatewayError
from xmpp_rest.service.limits.limits import Allowance


class LimitedResource(RestResource):
    """Base of what sends. Whether the limits allow a request is asked for once it has been read, and costs nothing before."""

    _allowance: Allowance | None = None

    def charge(self) -> None:
        """Take the request out of the limits, unless that was done; Stop with 429 if there is nothing left. For POST only."""
        if self._allowance is not None or self.request.method != "POST":
            return
        try:
            self._allowance = take(self.gateway, self.caller, self.authorization)
        except GatewayError as e:
            self.fail_for(e)
        if not self._allowance.allowed:
            self.fail(failure("rate"))
        for name, value in self._allowance.fields().items():
            self.set_field(name, value)

    def limit_fields(self) -> dict[str, str]:
        """The header fields that tell of the limits, also for a request that costs nothing."""
        if self._allowance is None:
            try:
                self._allowance = look(self.gateway, self.caller, self.authorization)
            except GatewayError:  # nobody can tell now
                return {}
        return self._allowance.fields()

    def fail(self, error: RestFailure, **fields: str) -> NoReturn:
        told = {} if self._allowance is None else self._allowance.fields()
        super().fail(error, **(told | fields))
