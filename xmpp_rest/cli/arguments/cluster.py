"""The words of `cluster`."""

from __future__ import annotations

import argparse


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the options of `cluster`, and the verbs below it."""
    parser.description = "List the nodes of the cluster and who owns what, or change that. Ask it on any node."
    parser.epilog = (
        "exit codes: 0 done, or each domain has an owner; 1 refused, or a domain has none; 69 no gateway runs here; 78 there is no cluster."
    )
    parser.add_argument("--json", action="store_true", help="print what `/status` tells of the cluster, as JSON")
    verbs = parser.add_subparsers(dest="action", metavar="ACTION")
    move = verbs.add_parser(
        "move", help="have another node own a domain", description="Have another node own a domain, and wait for it."
    )
    move.add_argument("domain", metavar="DOMAIN", help="the hosted domain")
    move.add_argument("node", metavar="NODE", help="the node that is to own it")
    about = "have this node be not ready, own nothing, and end its event streams; it goes on answering requests"
    verbs.add_parser("drain", help=about, description=f"{about[0].upper()}{about[1:]}.")
    verbs.add_parser("undrain", help="have this node be ready again", description="Have this node be ready again.")
    forget = verbs.add_parser(
        "forget", help="remove a node that is gone", description="Remove a silent node."
    )
    forget.add_argument("node", metavar="NODE", help="the node")
