"""Settings of a cluster, for tests."""

from __future__ import annotations

from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.config.load import load_settings


def cluster_settings(**given: str) -> ClusterSettings:
    """Those of a node that is configured so."""
    written = {"kind": "postgresql", "copies": "1", **given}
    return load_settings(None, {f"XMPP_REST_CLUSTER_{key.upper()}": value for key, value in written.items()}).cluster
