"""The base of the gateway's own resources."""

from __future__ import annotations

from xmpp_rest.http.methods import REGISTERED_METHODS
from xmpp_rest.http.resource import Resource


class ApiResource(Resource):
    """A resource that knows all methods, so that one that it lacks is 405 with `Allow`; 501 would be an error of the server."""

    def known_methods(self) -> frozenset[str]:
        return REGISTERED_METHODS if self.request.method in REGISTERED_METHODS else frozenset((self.request.method,))
