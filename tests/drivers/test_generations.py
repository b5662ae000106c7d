"""The file by which processes know of each other's writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.generations import GROUPS, NAME, WIDTH, Generations
from tests.conftest import OpenDriver
from tests.drivers.contract_writers import in_child, silent_fork

JULIET = ("juliet", "capulet.example")
SIZE = GROUPS * WIDTH


def known(generations: Generations) -> Callable[[], bool]:
    unchanged = generations.unchanged(*JULIET, "accounts")
    assert unchanged is not None
    return unchanged


@pytest.mark.parametrize("url", ["sqlite:gateway.sqlite", "flatfile:files", "jsonfile:files"])
def test_the_drivers_that_come_with_the_project_know_of_writes(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    assert open_driver(url, tmp_path).unchanged(*JULIET, "accounts") is not None


def test_a_writer_makes_no_file_as_without_one_nobody_remembers_anything(tmp_path: Path) -> None:
    Generations(tmp_path).changed(*JULIET, "accounts")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_the_owners_alone_and_has_no_holes(tmp_path: Path) -> None:
    known(Generations(tmp_path))
    found = (tmp_path / NAME).stat()
    assert (found.st_mode & 0o777, found.st_size) == (0o600, SIZE)
    assert found.st_blocks * 512 >= SIZE


def test_two_mappings_see_each_other(tmp_path: Path) -> None:
    one, other = Generations(tmp_path), Generations(tmp_path)
    first, second = known(one), known(other)
    one.changed(*JULIET, "accounts")
    assert (first(), second()) == (False, False)
    assert (known(one)(), known(other)()) == (True, True)


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    unchanged = known(Generations(tmp_path))
    before = (tmp_path / NAME).read_bytes()
    known(Generations(tmp_path))
    assert (tmp_path / NAME).read_bytes() == before
    assert unchanged()


def test_a_file_that_is_too_short_is_made_longer(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"x")
    one = Generations(tmp_path)
    unchanged = known(one)
    one.changed(*JULIET, "accounts")
    assert not unchanged()
    assert (tmp_path / NAME).stat().st_size == SIZE


@pytest.mark.parametrize(
    "made", [lambda path: path.mkdir(), lambda path: path.symlink_to(path.parent / "elsewhere")], ids=["folder", "link"]
)
def test_where_there_can_be_no_file_nothing_is_known(tmp_path: Path, made: Callable[[Path], None]) -> None:
    made(tmp_path / NAME)
    generations = Generations(tmp_path)
    generations.changed(*JULIET, "accounts")
    assert generations.unchanged(*JULIET, "accounts") is None
    assert Generations(tmp_path / "missing").unchanged(*JULIET, "accounts") is None


def test_a_forked_process_and_its_parent_know_of_each_other(tmp_path: Path) -> None:
    generations = Generations(tmp_path)
    unchanged = known(generations)
    with silent_fork() as child:
        if child == 0:
            in_child(lambda: generations.changed(*JULIET, "accounts"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not unchanged()
