"""An import into a new storage, and the services that read it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from drivers import Driver, open_driver
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.importing.accounts import OnConflict
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.imported import HostedDomains, Import
from xmpp_rest.importing.readers import OPENERS
from xmpp_rest.importing.records import Entity
from xmpp_rest.importing.report import ImportReport
from xmpp_rest.importing.sources import ImportSource, SourceRequest, opened

DOMAIN = "capulet.example"
HOSTED = HostedDomains(DOMAIN, f"muclight.{DOMAIN}", f"conference.{DOMAIN}")


@dataclass
class Importing:
    """Imports into one storage; `said` are the lines of the report."""

    driver: Driver
    said: list[str] = field(default_factory=list)
    report: ImportReport = field(init=False)

    def __post_init__(self) -> None:
        self.report = ImportReport(self.said.append)

    def source(
        self, text: str | Path, domains: dict[str, str] | None = None, *, on_conflict: OnConflict = "skip", dry_run: bool = False
    ) -> ImportReport:
        """The report of an import of a file or folder."""
        renamed = Domains(domains or {})
        return self._run(opened(str(text), SourceRequest("", Path("/"), renamed), OPENERS), renamed, on_conflict, dry_run)

    def entities(
        self, *entities: Entity, domains: dict[str, str] | None = None, on_conflict: OnConflict = "skip", dry_run: bool = False
    ) -> ImportReport:
        """The report of an import of these entities."""
        return self._run(ImportSource(iter(entities)), Domains(domains or {}), on_conflict, dry_run)

    def _run(self, source: ImportSource, domains: Domains, on_conflict: OnConflict, dry_run: bool) -> ImportReport:
        self.said.clear()
        self.report = ImportReport(self.said.append)
        Import(self.driver, self.report, domains, HOSTED, Passwords("SHA-1", 4096), on_conflict, dry_run=dry_run).run(source)
        return self.report


@pytest.fixture(params=["sqlite:data.sqlite", "flatfile:data", "jsonfile:data"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    with closing(open_driver(request.param, tmp_path)) as driver:
        yield driver


@pytest.fixture
def importing(driver: Driver) -> Importing:
    return Importing(driver)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a file of XEP-0227 with these users of DOMAIN."""

    def write(users: str) -> Path:
        path = tmp_path / "users.xml"
        path.write_text(
            f"<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'>{users}</host></server-data>"
        )
        return path

    return write
