"""The check of what is set for a cluster: values that are each valid, but cannot work, and what they promise (many-machines §3)."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.config.spread import divided_callbacks
from xmpp_rest.config.storage_url import DATABASES
from xmpp_rest.config.table import Settings

PROMISES = {
    1: "what is accepted is on the database's own machine before the answer, and survives the end of any node; a failover to a standby"
    " that is not synchronous may lose the last moments",
    2: "what is accepted is on two machines of the database before the answer, and survives the loss of any one; while the standby is gone"
    " nothing is accepted, and senders get 503",
}


def described_cluster(settings: Settings) -> Iterator[str]:
    """The cluster that would be joined, and what its number of copies promises."""
    cluster = settings.cluster
    if not cluster.is_on or cluster.copies is None:
        return
    copies = "1 copy" if cluster.copies == 1 else f"{cluster.copies} copies"
    yield f"join the cluster of {settings.gateway.domain} as node {cluster.node} ({cluster.kind}, {copies})"
    yield f"promise by {copies}: {PROMISES[cluster.copies]}"


def cluster_problems(settings: Settings) -> Iterator[str]:
    """What is wrong, a sentence each."""
    cluster = settings.cluster
    if not cluster.is_on:
        return
    if settings.storage.url.partition(":")[0] not in DATABASES:
        remedy = "write url = postgresql://… there, or kind = none"
        yield f"[cluster] kind: postgresql: the nodes meet in the database of [storage] url; {remedy}"
    if settings.link.outbox == "memory":
        yield "[link] outbox: memory: in a cluster what is accepted is kept in the database; write disk, or [cluster] kind = none"
    for name in divided_callbacks(settings):
        remedy = "have all of them at one hosted domain, and write another callback for the others"
        yield f"[callback.{name}] address: with [cluster] spread = yes its addresses would have several owners; {remedy}"
    if cluster.copies is None:
        yield f"[cluster] copies: is missing; write 1 ({PROMISES[1]}) or 2 ({PROMISES[2]})"
    if settings.files.domain and "files.folder" not in settings.given:
        remedy = "write the path of a folder that all nodes share, such as one of NFS, or [files] domain = with no value"
        yield f"[files] folder: is not set, so it would be this node's own, and the others could not serve its files; {remedy}"


def cluster_remarks(settings: Settings) -> Iterator[str]:
    """What is set without effect."""
    if settings.cluster.is_on:
        return
    if given := sorted(name.partition(".")[2] for name in settings.given if name.startswith("cluster.") and name != "cluster.kind"):
        yield f"[cluster] {given[0]}: has no effect, as kind is none; write kind = postgresql if this is one of several nodes"
