"""`/hooks/NAME` and what is below it: managed by accounts, and used by who has its token or signs by its secret (hooks §4, §5.1)."""

from __future__ import annotations

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.credentials import token_in
from xmpp_rest.api.hooks.deliveries import NamedDelivery
from xmpp_rest.api.hooks.management import HookItem, HookResource, HookTest, HookToken
from xmpp_rest.api.routing import View
from xmpp_rest.http.resource import SwitchHandler


class OrDelivery(HookResource):
    """A resource of management. A request with the token of a hook is a delivery, whatever follows the name."""

    def __init__(self, gateway: Gateway, deliver: View) -> None:
        super().__init__(gateway)
        self._deliver = deliver

    def init(self) -> None:
        """Hand deliveries over."""
        if self.is_delivery():
            raise SwitchHandler(self._deliver, **self.args)

    def is_delivery(self) -> bool:
        """Whether the request is to become a message."""
        return self.request.method != "OPTIONS" and token_in(self.request) is not None


class NamedHook(OrDelivery, HookItem):
    """One hook. Any POST is a delivery."""

    def is_delivery(self) -> bool:
        return self.request.method == "POST" or super().is_delivery()

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"]


class NamedToken(OrDelivery, HookToken):
    """A new token."""


class NamedTest(OrDelivery, HookTest):
    """The test message."""


def delivery_view(gateway: Gateway) -> View:
    """What takes deliveries at the path of a hook's name."""
    return NamedDelivery.as_view("nameddelivery", gateway)
