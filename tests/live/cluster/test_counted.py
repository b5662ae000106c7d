"""Each of many messages arrives, in order, by whatever node they are sent and whatever befalls the cluster; and clients see what the page says."""

from __future__ import annotations

import pytest

from tests.live.counting import Receiver

from .counted import count
from .happenings import HAPPENINGS, Happening
from .machines import Machines


@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda happening: happening.name)
def test_nothing_is_lost_or_overtaken(machines: Machines, receiver: Receiver, happening: Happening) -> None:
    count(machines, receiver, happening)
