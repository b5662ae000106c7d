"""Loss: why a process is to lead no more."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class LossKind(Enum):
    """What is left to do."""

    LOST = "lost"  # another node may own by now: nothing may be written any more
    GIVEN_UP = "given up"  # it may still write, and hands over what it has
    DISPLACED = "displaced"  # another machine runs a copy of this data folder: this process is to end


class Loss(NamedTuple):
    """Why a node owns no more, or why a process of it ends. `to`: the node that is to own next; "": any other."""

    kind: LossKind
    reason: str
    to: str = ""
