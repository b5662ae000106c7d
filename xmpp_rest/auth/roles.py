"""Administrators by stored roles: those of Prosody 13, or of 0.12 if there are none of 13."""

from __future__ import annotations

from drivers import Driver, Table

ROLES = "roles"  # of Prosody 0.12: role → true
ROLES_13 = "account_roles"  # of Prosody 13: `_default` is the name of the primary role
PRIMARY = "_default"
ADMIN_ROLE = "prosody:admin"
ADMIN_ROLES = frozenset((ADMIN_ROLE, "prosody:operator"))
ACCOUNT_ROLES = ADMIN_ROLES | {"prosody:registered", "prosody:member"}
"""Those in which one may do with an account what its owner may."""


def administers(driver: Driver, user: str, host: str) -> bool:
    """Whether the stored roles make this account an administrator of its host. Raises StorageError."""
    roles = driver.load(user, host, ROLES_13)
    if roles is None:  # else it alone decides: a Prosody 13 never removes the other store
        return _by_old(driver.load(user, host, ROLES))
    primary = roles.get(PRIMARY) if isinstance(roles, dict) else None
    return isinstance(primary, str) and primary in ADMIN_ROLES


def _by_old(roles: Table | None) -> bool:
    return isinstance(roles, dict) and roles.get(ADMIN_ROLE) is True
