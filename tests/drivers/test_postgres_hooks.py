"""Hooks as PostgreSQL keeps them. (Other storages: tests/service/hooks/test_hooks.py, whose tests these are.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import Driver
from tests.conftest import DOMAIN, OpenDriver
from tests.drivers.postgrescluster import Cluster
from tests.service.hooks.test_hooks import (
    hooks,
    make,
    test_a_hook_is_found_by_token_name_and_owner,
    test_how_many_one_account_may_have,
    test_names_are_unique_in_a_race,
    test_numbers_are_not_used_again,
    test_of_the_token_only_a_hash_is_kept,
    test_only_what_has_not_changed_is_replaced,
    test_uses_are_counted_and_survive,
    test_what_was_removed_is_kept_nowhere,
)
from xmpp_rest.auth.record import ACCOUNTS

__all__ = [
    "hooks", "make", "test_a_hook_is_found_by_token_name_and_owner", "test_how_many_one_account_may_have", "test_names_are_unique_in_a_race",
    "test_numbers_are_not_used_again", "test_of_the_token_only_a_hash_is_kept", "test_only_what_has_not_changed_is_replaced",
    "test_uses_are_counted_and_survive", "test_what_was_removed_is_kept_nowhere",
]  # fmt: skip


@pytest.fixture
def driver(cluster: Cluster, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    driver = open_driver(cluster.new_database(), tmp_path)
    for user in ("juliet", "nurse"):
        driver.store(user, DOMAIN, ACCOUNTS, {"password": "x"})
    return driver
