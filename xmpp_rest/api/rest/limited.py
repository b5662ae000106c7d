"""Requests of /rest that count for the limits of the caller (hooks §18)."""

from __future__ import annotations

from xmpp_rest.api.rate_limits import take
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.errors import GatewayError


class LimitedResource(RestResource):
    """Base of what sends. Whether the limits allow a request is asked for once it has been read, and costs nothing before."""

    def charge(self) -> None:
        """Take the request out of the limits, once; Stop with 429 if there is nothing left. For POST only."""
        if self.request.method != "POST":
            return
        try:
            allowance = take(self.request.environ)
        except GatewayError as e:
            self.fail_for(e)
        if not allowance.allowed:
            self.fail(failure("rate"))
