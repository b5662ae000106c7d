"""Rooms of a gateway, and those who come to them."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.service.muc.hall import Hall


@pytest.fixture
def hall(app: Flask) -> Hall:
    return Hall(app)
