"""No command reports success after a failure: each is run with the example of its help on a storage that fails."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from drivers import StorageError
from tests.conftest import PASSWORD, MakeApp
from xmpp_rest.api.commands import registry
from xmpp_rest.gateway.gateway import Gateway

WITHOUT_STORAGE = {
    "clear_cache", "delete_expired_pubsub_items", "delete_old_pubsub_items", "delete_old_push_sessions", "get_loglevel", "get_user_rooms",
    "incoming_s2s_number", "list_cluster", "outgoing_s2s_number", "registered_vhosts", "reload_config", "reopen_log", "rotate_log",
    "set_loglevel", "status", "stop_s2s_connections", "unban_ip",
}  # fmt: skip
"""What needs none: it says how the process is, changes that, or is about what there is none of."""


def _fails(*_: Any, **__: Any) -> NoReturn:
    raise StorageError("the disk is full")


def test_no_command_succeeds_on_a_storage_that_fails(make_app: MakeApp) -> None:
    gateway: Gateway = make_app(gateway_domain="localhost", conference_allow_subscription="yes").extensions["gateway"]
    gateway.start()
    gateway.parts.accounts.register(gateway.parts.accounts.address("juliet", "localhost"), PASSWORD)
    done = set()
    for definition in (offer.definition for offer in registry().offers()):
        for name, *words in (
            ["create_room_with_opts", "verona", "conference.localhost", "localhost", "persistent:true"],
            ["srg_add", "family", "localhost"],
            ["srg_add", "servants", "localhost"],
        ):
            gateway.parts.remote.perform("Runner.run_line", {"name": name, "version": None, "words": words, "auth": None})
        with pytest.MonkeyPatch.context() as patch:
            for name in (n for n in dir(gateway.driver) if not n.startswith("_") and callable(getattr(gateway.driver, n))):
                patch.setattr(gateway.driver, name, _fails)
            words = [about.example for about in definition.about.values()]
            code, _ = gateway.parts.remote.perform(
                "Runner.run_line", {"name": definition.name, "version": definition.version, "words": words, "auth": None}
            )
        if code == 0:
            done.add(definition.name)
    assert done == WITHOUT_STORAGE
