"""How do wrong passwords count the same in every process of the gateway?"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.siblings import Siblings

log = logging.getLogger(__name__)
ORDER = "tried"


def share_tries(throttle: Throttle, siblings: Siblings) -> dict[str, Callable[..., Any]]:
    """Have the siblings count what `throttle` counts; the order by which they do so."""

    mine = secrets.token_hex(8)

    def tell(key: tuple[str, str], right: bool) -> None:
        if not siblings.several:
            return
        try:
            siblings.order(ORDER, origin=mine, account=key[0], address=key[1], right=right)
        except GatewayError as e:  # the owner has just ended: it counts here at any rate
            log.info("the other processes do not hear of a password that was tried: %s", e)

    def hear(origin: str, account: str, address: str, right: bool) -> None:
        if origin != mine:
            throttle.hear((account, address), right)

    throttle.told = tell
    return {ORDER: hear}
