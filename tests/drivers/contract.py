"""The contract suite: subclass `DriverContract`, give it a `url`, and pytest runs the whole suite over your driver.

    from tests.drivers.contract import DriverContract

    class TestMine(DriverContract):
        @pytest.fixture
        def url(self, tmp_path):
            return "my_package.storage:Mine:data"   # opened below tmp_path; a new, empty storage for each test
"""

from __future__ import annotations

from tests.drivers.contract_archive import ArchiveContract
from tests.drivers.contract_bulk import BulkContract
from tests.drivers.contract_contents import ContentsContract
from tests.drivers.contract_generations import GenerationsContract
from tests.drivers.contract_keyval import KeyvalContract
from tests.drivers.contract_list import ListContract
from tests.drivers.contract_members import MembersContract
from tests.drivers.contract_notes import NotesContract
from tests.drivers.contract_writers import WritersContract


class DriverContract(
    KeyvalContract, MembersContract, ListContract, ArchiveContract, ContentsContract, NotesContract, WritersContract, GenerationsContract,
    BulkContract,
):  # fmt: skip
    """The whole contract of `drivers.Driver`."""
