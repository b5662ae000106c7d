"""`/hooks/NAME`: managed by accounts, and used by who has its token or signs by its secret (hooks §4, §5.1)."""

from __future__ import annotations

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.credentials import token_in
from xmpp_rest.api.hooks.deliveries import NamedDelivery
from xmpp_rest.api.hooks.management import HookItem
from xmpp_rest.api.routing import View
from xmpp_rest.http.resource import SwitchHandler


class NamedHook(HookItem):
    """One hook. A request with the token of a hook is a delivery, and so is any POST."""

    def __init__(self, gateway: Gateway, deliver: View) -> None:
        super().__init__(gateway)
        self._deliver = deliver

    def init(self) -> None:
        """Hand deliveries over."""
        if self.request.method == "POST" or (self.request.method != "OPTIONS" and token_in(self.request) is not None):
            raise SwitchHandler(self._deliver, **self.args)

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"]


def delivery_view(gateway: Gateway) -> View:
    """What takes deliveries at the path of a hook's name."""
    return NamedDelivery.as_view("nameddelivery", gateway)
