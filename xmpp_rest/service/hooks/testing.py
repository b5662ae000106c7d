"""The test message of a hook (hooks §4)."""

from __future__ import annotations

import time

from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import Kind, Said
from xmpp_rest.service.hooks.sender import HookSender


def send_test(hook: Hook, sender: HookSender) -> Delivered:
    """Send it to all targets; what became of it. It is not a delivery: nothing is counted or limited, and it starts no matter."""
    text = f"Test of the hook {hook.name}"
    said = Said(Kind.MESSAGE, text, message=text)
    return Delivered(hook.name, "json", said, sender.send(hook, said), 0, time.time())
