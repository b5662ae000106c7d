"""The base of the resources of /data: credentials and errors (data-api §1.2, §1.6)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from flask import Response

from drivers import BadValue, StorageError
from xmpp_rest.answered import path_of
from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.failures import retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.own_address import base_url
from xmpp_rest.auth.authorization import DATA
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.methods import REGISTERED_METHODS
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.resource import Stop
from xmpp_rest.service.accounts.data_usage import OverLimit

MAX_DEBUG = 500  # characters
log = logging.getLogger("xmpp_rest.storage")


class DataResource(Authenticated):
    """Base of the resources below /data."""

    policy = DATA
    elsewhere = "The data of {domain} is kept by its own server; this API has hosted accounts only"
    uses = dict.fromkeys(REGISTERED_METHODS, Use.ADMINISTER)

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.data = gateway.parts.data

    def admits(self, caller: Caller) -> bool:
        refusal = self.refusal(caller)
        if refusal is not None:
            self.problem["detail"] = refusal
        return refusal is None

    def refusal(self, caller: Caller) -> str | None:
        """Why the caller may not do this here; None: the caller may. Every subclass says so; one may also end the request."""
        raise NotImplementedError

    def url(self, path: str) -> str:
        """The URL of a path of the gateway as clients see it."""
        return base_url(self.request, self.gateway) + path

    def refuse(self, status: int, detail: str, **fields: str) -> NoReturn:
        """End the request with this error."""
        body, content_type = render_problem(status, {"detail": detail})
        raise Stop(Response(body, status, fields, content_type=content_type))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """COMPAT mod_data_access: what the storage has to say is in a header field named Debug."""
        try:
            yield
        except StorageError as e:
            log.error("%s %s: %s", self.request.method, path_of(self.request.environ), e)
            debug = " ".join((e.told or str(e)).split()).encode("ascii", "replace").decode()
            self.refuse(500, "The storage failed; nothing was changed", Debug=debug[:MAX_DEBUG])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """As `reading`, but a value that cannot be kept is the client's to change: 400."""
        with self.reading():
            try:
                yield
            except BadValue as e:
                self.refuse(400, f"The body cannot be kept: {e}")
            except OverLimit as e:
                self.refuse(413, f"{e}; nothing was changed")
            except GatewayError as e:  # who removes an account ends its sessions, in every process
                self.refuse(e.row.status, e.text, **retry_after(e))
