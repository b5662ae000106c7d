"""The growth benchmark: it runs on every embedded driver, and its arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.growth import filling
from bench.growth.measured import Row, table
from bench.growth.on_gateway import of_gateway
from bench.growth.on_rooms import of_contacts, of_light_rooms, of_occupants, of_rooms, of_tokens
from bench.growth.on_storage import of_storage
from bench.growth.places import Storage, empty_storage

SIZE = 60


@pytest.fixture(params=["sqlite", "flatfile", "jsonfile"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(request.param, tmp_path, f"{request.param}:{tmp_path / 'storage'}")


def test_operations_of_a_storage(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.growth.measured.SECONDS", 0.0)
    with storage.filling() as driver:
        for fill in (filling.accounts, filling.archive, filling.long_list, filling.tokens):
            fill(driver, SIZE)
        assert driver.archive_count(filling.OWNER, "capulet.example", "archive") == SIZE
    figures = [*of_gateway(storage, SIZE), *of_storage(storage, SIZE)]
    assert len({figure.name for figure in figures}) == len(figures)
    assert all(figure.took > 0 for figure in figures)


def test_operations_of_rooms(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.growth.measured.SECONDS", 0.0)
    for stage in (of_rooms, of_occupants, of_contacts, of_light_rooms, of_tokens):
        with empty_storage(storage.kind, storage.folder, None) as place:
            assert all(figure.took > 0 for figure in stage(place, 3))


@pytest.mark.parametrize(("power", "verdict"), [(0.0, "flat"), (0.5, "**grows 32 times**"), (1.0, "**grows 1,000 times**")])
def test_exponent(power: float, verdict: str) -> None:
    row = Row("sqlite", "load", "ms", True, {size: 2 * size**power for size in (1_000, 100_000, 1_000_000)})
    assert row.exponent == pytest.approx(power)
    assert row.verdict == verdict
    assert f"| {power:.2f} | {verdict} |" in table([row])
